"""Every function of the catalog but the migrations, and what starts it; and the first signing key."""

from __future__ import annotations

import json

from aws_cdk import Duration
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra import catalog
from infra.constructs.answerer import DeployStep
from infra.constructs.inbox import inbox_alarms
from infra.constructs.nag import accept
from infra.constructs.workload import Surroundings, Workloads
from infra.settings import Deployment
from infra.stacks.api import ApiStack
from infra.stacks.base import StageStack
from infra.vocabulary import Called, CustomResource, Function, Http, QueueConsumer, Schedule

INTEGRATION_TIMEOUT_MS = 29_000
KEYS_ANSWERER = "keys_answer"
MIGRATIONS = "migrations"
"""The one function that another stack has, which is deployed before."""


class FunctionsStack(StageStack):
    """Functions, routes, queue consumers and schedules."""

    def __init__(
        self,
        scope: Construct,
        deployment: Deployment,
        around: Surroundings,
        *,
        api: ApiStack,
        schedule_dead_letters: sqs.IQueue,
    ) -> None:
        super().__init__(scope, "functions", deployment, about="functions and what starts them")
        self._around = around
        self._api = api
        self._schedule_dead_letters = schedule_dead_letters
        workloads = Workloads(self, around)
        for row in catalog.FUNCTIONS:
            if row.name != MIGRATIONS:
                alias = workloads.add(row)
                for trigger in row.triggers:
                    if isinstance(trigger, CustomResource):
                        self._make_first_key(alias)
                    else:
                        self._start(row, alias, trigger)

        self._hear_of_mails()
        if around.resources.topic is not None:
            inbox_alarms(self, around.resources.topic)

    def _hear_of_mails(self) -> None:
        """SES's words of mails come to the inbox: SNS asks the address to confirm, once its route is there."""
        if self.stage.local:
            return
        subscription = sns.CfnSubscription(
            self,
            "MailEventsToInbox",
            topic_arn=self._around.resources.mail_topic,
            protocol="https",
            endpoint=f"{self._around.api_url}/api/v1/inbound/ses",
        )
        subscription.node.add_dependency(self.node.find_child("inbound-start"))

    def _make_first_key(self, key_rotation: lambda_.Alias) -> None:
        """The deploy ends with a key that signs; with another version anew, which mends a ring that was lost."""
        version = {"Version": self.deployment.version}
        timeout = Duration.minutes(5)
        DeployStep(self, "KeyRing", key_rotation, answerer=KEYS_ANSWERER, properties=version, timeout=timeout)

    def _start(self, row: Function, alias: lambda_.Alias, trigger: Http | QueueConsumer | Schedule | Called) -> None:
        name = f"{row.name}-start"
        # A second trigger is named after its kind; the first keeps the name, and so what was deployed under it.
        scope = Construct(self, f"{name}-{type(trigger).__name__}" if self.node.try_find_child(name) else name)
        match trigger:
            case Http():
                self._route(scope, row, alias)
            case QueueConsumer():
                self._consume(scope, row, alias, trigger)
            case Schedule():
                self._schedule(scope, row, alias, trigger)
            case Called():
                pass  # callers hold the permission

    def _route(self, scope: Construct, row: Function, alias: lambda_.Alias) -> None:
        api_id = self._api.api.ref
        integration = apigateway.CfnIntegration(
            scope,
            "Integration",
            api_id=api_id,
            integration_type="AWS_PROXY",
            integration_uri=alias.function_arn,
            payload_format_version="2.0",
            timeout_in_millis=INTEGRATION_TIMEOUT_MS,
        )
        for number, key in enumerate(catalog.routes(row)):
            route = apigateway.CfnRoute(
                scope,
                f"Route{number}",
                api_id=api_id,
                route_key=key,
                authorization_type="NONE",
                target=f"integrations/{integration.ref}",
            )
            accept(
                route,
                "APIG4",
                "The kernel verifies tokens, device keys and signatures: the gateway's refusal could not be "
                "problem+json (decision 0003).",
            )
        lambda_.CfnPermission(
            scope,
            "Permission",
            action="lambda:InvokeFunction",
            function_name=alias.function_arn,
            principal="apigateway.amazonaws.com",
            source_arn=self.format_arn(service="execute-api", resource=api_id, resource_name="*/*"),
        )

    def _consume(self, scope: Construct, row: Function, alias: lambda_.Alias, trigger: QueueConsumer) -> None:
        lambda_.CfnEventSourceMapping(
            scope,
            "Source",
            event_source_arn=self._around.resources.queues[trigger.queue].queue_arn,
            function_name=alias.function_arn,
            batch_size=trigger.batch_size,
            maximum_batching_window_in_seconds=trigger.window_s,
            function_response_types=["ReportBatchItemFailures"],
            scaling_config=lambda_.CfnEventSourceMapping.ScalingConfigProperty(
                maximum_concurrency=row.local_concurrency if self.stage.local else trigger.max_concurrency
            ),
        )

    def _schedule(self, scope: Construct, row: Function, alias: lambda_.Alias, trigger: Schedule) -> None:
        minutes = trigger.minutes
        if self.stage.local and trigger.local_minutes:
            minutes = trigger.local_minutes
        role = iam.Role(
            scope,
            "Role",
            description=f"Starts {row.name} on time",
            assumed_by=iam.ServicePrincipal(
                "scheduler.amazonaws.com",
                conditions=None if self.stage.local else {"StringEquals": {"aws:SourceAccount": self.account}},
            ),
            inline_policies={
                "start": iam.PolicyDocument(
                    statements=[
                        iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[alias.function_arn]),
                        iam.PolicyStatement(
                            actions=["sqs:SendMessage"], resources=[self._schedule_dead_letters.queue_arn]
                        ),
                    ]
                )
            },
        )
        scheduler.CfnSchedule(
            scope,
            "Schedule",
            name=self.stage.named(row.name),
            description=row.purpose,
            schedule_expression=f"rate({minutes} minute{'s' if minutes > 1 else ''})",
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
            target=scheduler.CfnSchedule.TargetProperty(
                arn=alias.function_arn,
                role_arn=role.role_arn,
                input=json.dumps(self._said_to(row)),
                dead_letter_config=scheduler.CfnSchedule.DeadLetterConfigProperty(
                    arn=self._schedule_dead_letters.queue_arn
                ),
                retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                    maximum_event_age_in_seconds=600, maximum_retry_attempts=3
                ),
            ),
        )

    def _said_to(self, row: Function) -> dict[str, str]:
        """What a schedule tells its function. Every try of one call has the slot that Scheduler fills in.

        The local endpoint fills in nothing; a function then takes the minute of its call.
        """
        said = {"source": "rmap.schedule", "schedule": row.name}
        return said if self.stage.local else {**said, "slot": "<aws.scheduler.scheduled-time>"}
