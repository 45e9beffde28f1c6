"""The database's schema, brought up to date by the deploy itself."""

from __future__ import annotations

from aws_cdk import CustomResource, Duration
from constructs import Construct

from infra import assets, catalog
from infra.constructs.workload import Surroundings, Workloads
from infra.settings import Deployment
from infra.stacks.base import StageStack

RESOURCE_TYPE = "Custom::Schema"
SLACK_S = 30
LOCAL_PATIENCE_S = 120


class SchemaStack(StageStack):
    """Runs the migrations function whenever what it would run has changed; all other functions come after."""

    def __init__(self, scope: Construct, deployment: Deployment, around: Surroundings) -> None:
        super().__init__(scope, "schema", deployment, about="the database's schema")
        row = catalog.function("migrations")
        alias = Workloads(self, around).add(row)
        CustomResource(
            self,
            "Schema",
            service_token=alias.function_arn,
            resource_type=RESOURCE_TYPE,
            properties={"Digest": assets.migrations_digest()},
            # CloudFormation would wait an hour for a function that died before it could answer.
            service_timeout=Duration.seconds(LOCAL_PATIENCE_S if self.stage.local else row.timeout_s + SLACK_S),
        )
