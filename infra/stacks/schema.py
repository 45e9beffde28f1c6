"""The database's schema, brought up to date by the deploy itself."""

from __future__ import annotations

from aws_cdk import Duration
from constructs import Construct

from infra import assets, catalog
from infra.constructs.answerer import DeployStep
from infra.constructs.workload import Surroundings, Workloads
from infra.settings import Deployment
from infra.stacks.base import StageStack

ANSWERER = "schema_answer"


class SchemaStack(StageStack):
    """Runs the migrations function whenever what it would run has changed; all other functions come after."""

    def __init__(self, scope: Construct, deployment: Deployment, around: Surroundings) -> None:
        super().__init__(scope, "schema", deployment, about="the database's schema")
        row = catalog.function("migrations")
        DeployStep(
            self,
            "Schema",
            Workloads(self, around).add(row),
            answerer=ANSWERER,
            properties={"Digest": assets.migrations_digest()},
            timeout=Duration.minutes(15),
        )
