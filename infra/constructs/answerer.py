"""A step of a deploy that one of our functions does, answered for CloudFormation by the CDK's own small function.

A function that answered itself would leave the deploy waiting for its timeout when it dies while it is imported.
"""

from __future__ import annotations

from typing import cast

from aws_cdk import CustomResource, Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import custom_resources as resources
from constructs import Construct

from infra.constructs.retention import log_group
from infra.stacks.base import StageStack


class DeployStep(Construct):
    """Calls a function by its alias at the first deploy, and whenever the properties have changed."""

    def __init__(
        self,
        scope: StageStack,
        name: str,
        alias: lambda_.Alias,
        *,
        answerer: str,
        properties: dict[str, str],
        timeout: Duration,
    ) -> None:
        super().__init__(scope, f"{name}Step")
        self._home = scope
        CustomResource(
            self,
            name,
            service_token=self._answerer(alias, answerer).service_token,
            resource_type=f"Custom::{name}",
            properties=properties,
            service_timeout=timeout,
        )

    def _answerer(self, called: lambda_.Alias, answerer: str) -> resources.Provider:
        name = self._home.stage.named(answerer)
        log = log_group(self, "AnswererLog", self._home.stage, f"/aws/lambda/{name}")
        role = iam.Role(
            self,
            "AnswererRole",
            role_name=name,
            description="Calls a function of ours during a deploy",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            inline_policies={
                "call": iam.PolicyDocument(
                    statements=[
                        iam.PolicyStatement(
                            actions=["lambda:GetFunction", "lambda:InvokeFunction"],
                            resources=[called.function_arn],
                        ),
                        iam.PolicyStatement(
                            actions=["logs:CreateLogStream", "logs:PutLogEvents"], resources=[log.log_group_arn]
                        ),
                    ]
                )
            },
        )
        provider = resources.Provider(
            self,
            "Answerer",
            on_event_handler=called,
            provider_function_name=name,
            framework_on_event_role=role.without_policy_updates(),
            log_group=log,
        )
        function = provider.node.find_child("framework-onEvent")
        cast("lambda_.CfnFunction", function.node.default_child).add_deletion_override("DependsOn")
        return provider
