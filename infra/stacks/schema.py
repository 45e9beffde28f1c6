"""The database's schema, brought up to date by the deploy itself."""

from __future__ import annotations

from typing import cast

from aws_cdk import CustomResource, Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import custom_resources as resources
from constructs import Construct

from infra import assets, catalog
from infra.constructs.retention import log_group
from infra.constructs.workload import Surroundings, Workloads
from infra.settings import Deployment
from infra.stacks.base import StageStack

RESOURCE_TYPE = "Custom::Schema"
ANSWERER = "schema_answer"
"""The CDK's own small function, which calls the migrations and answers CloudFormation for them.

A function that answered itself would leave the deploy waiting for its timeout when it dies while it is imported.
"""


class SchemaStack(StageStack):
    """Runs the migrations function whenever what it would run has changed; all other functions come after."""

    def __init__(self, scope: Construct, deployment: Deployment, around: Surroundings) -> None:
        super().__init__(scope, "schema", deployment, about="the database's schema")
        row = catalog.function("migrations")
        alias = Workloads(self, around).add(row)
        CustomResource(
            self,
            "Schema",
            service_token=self._answerer(alias).service_token,
            resource_type=RESOURCE_TYPE,
            properties={"Digest": assets.migrations_digest()},
            service_timeout=Duration.minutes(15),
        )

    def _answerer(self, migrations: lambda_.Alias) -> resources.Provider:
        name = self.stage.named(ANSWERER)
        log = log_group(self, "AnswererLog", self.stage, f"/aws/lambda/{name}")
        role = iam.Role(
            self,
            "AnswererRole",
            role_name=name,
            description="Calls the migrations during a deploy",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            inline_policies={
                "call": iam.PolicyDocument(
                    statements=[
                        iam.PolicyStatement(
                            actions=["lambda:GetFunction", "lambda:InvokeFunction"],
                            resources=[migrations.function_arn],
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
            on_event_handler=migrations,
            provider_function_name=name,
            framework_on_event_role=role.without_policy_updates(),
            log_group=log,
        )
        function = provider.node.find_child("framework-onEvent")
        cast("lambda_.CfnFunction", function.node.default_child).add_deletion_override("DependsOn")
        return provider
