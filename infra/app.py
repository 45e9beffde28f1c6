"""The CDK app: one set of stacks for every stage (`npx cdk synth -c stage=prod`)."""

from __future__ import annotations

from typing import Final

from aws_cdk import Annotations, App, ArnFormat, Validations

from infra import assets, bytecode
from infra.constructs.resources import DatabaseAccess, Resources, SecretHandle
from infra.constructs.workload import ALIAS, Surroundings
from infra.settings import Deployment, LocalCloud, read_deployment
from infra.stacks.api import ApiStack
from infra.stacks.base import StageStack
from infra.stacks.data import DataStack
from infra.stacks.database import DatabaseStack
from infra.stacks.edge import EdgeStack
from infra.stacks.functions import FunctionsStack
from infra.stacks.messaging import MessagingStack
from infra.stacks.network import NetworkStack
from infra.stacks.schema import SchemaStack
from infra.vocabulary import Callee, Secret

FLAGS: Final = {
    "@aws-cdk/aws-iam:minimizePolicies": True,
    "@aws-cdk/aws-lambda:recognizeLayerVersion": True,
    "@aws-cdk/core:checkSecretUsage": True,
    "@aws-cdk/core:defaultCrossStackReferences": "strong",
    "@aws-cdk/core:enablePartitionLiterals": True,
    "@aws-cdk/core:validateAgainstDefaultRules": True,
    "@aws-cdk/core:target-partitions": ["aws"],
}
"""CDK behaviours that are off unless asked for."""


def add_stacks(app: App, deployment: Deployment, built: assets.Assets) -> None:
    """Add every stack of a stage, from what is kept longest to what changes most."""
    data = DataStack(app, deployment)
    messaging = MessagingStack(app, deployment, data.topic)
    api = ApiStack(app, deployment, data.topic)
    api_url = api.endpoint
    network: NetworkStack | None = None
    if deployment.local:
        database = _local_database(deployment.local, data)
    else:
        if data.data_key is None or data.topic is None:
            raise ValueError("A stage in an account has a data key and an alarm topic.")
        network = NetworkStack(app, deployment)
        database = DatabaseStack(app, deployment, network, data.data_key, data.topic).access
    origin_secrets: list[SecretHandle] = []
    if deployment.stage.edge:
        edge = EdgeStack(app, deployment, api)
        api_url = edge.endpoint
        origin_secrets = [SecretHandle.of(secret) for secret in edge.origin_secrets]
    around = Surroundings(
        resources=Resources(
            queues=messaging.queues,
            tables=data.tables,
            buckets=data.buckets,
            secrets=data.secrets,
            signing_keys_arn=data.signing_keys_arn,
            field_key=data.field_key,
            bus=messaging.bus,
            database=database,
            topic=data.topic,
            callees=_callees(api, deployment),
            mail_identity=data.mail.identity,
            mail_configuration=data.mail.configuration,
            mail_topic=data.mail.topic,
            origin_secrets=origin_secrets,
        ),
        assets=built,
        api_url=api_url,
        network=network,
    )
    schema = SchemaStack(app, deployment, around)
    functions = FunctionsStack(app, deployment, around, api=api, schedule_dead_letters=messaging.schedule_dead_letters)
    functions.add_stack_dependency(schema, "Functions start after the schema they need is there.")


def _callees(stack: StageStack, deployment: Deployment) -> dict[Callee, str]:
    """By their names, which are ours to choose: callers and called stand in one stack, in any order."""
    return {
        callee: stack.format_arn(
            service="lambda",
            resource="function",
            resource_name=f"{deployment.stage.named(callee)}:{ALIAS}",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        for callee in Callee
    }


def _local_database(local: LocalCloud, data: DataStack) -> DatabaseAccess:
    """The embedded PostgreSQL: one host for everything, passwords instead of IAM."""
    return DatabaseAccess(
        host=local.database_host,
        reader_host=local.database_host,
        port=str(local.database_port),
        owner_host=local.database_host,
        owner_secret=data.secrets[Secret.DATABASE_OWNER],
        app_secret=data.secrets[Secret.DATABASE_APP],
    )


def make_app(deployment: Deployment | None = None, *, outdir: str | None = None, check: bool = True) -> App:
    """The app, ready to synthesize; without a deployment, the one that context and environment describe.

    Stages in an account are checked against cdk-nag's AwsSolutions rules: a finding fails the synthesis.
    """
    app = App(context=FLAGS, outdir=outdir, analytics_reporting=False)
    deployment = deployment or read_deployment(_Context(app))
    built = assets.build(deployment.stage.target)
    add_stacks(app, deployment, built)
    if not deployment.local:
        if not built.compiled:
            Annotations.of(app).add_warning_v2("rmap:bytecode", bytecode.MISSING_COMPILER)
        if check:
            from cdk_nag import AwsSolutionsChecks  # noqa: PLC0415 -- costs a second; local synthesis spares it

            Validations.of(app).add_plugins(AwsSolutionsChecks(app, verbose=True))
    return app


class _Context(dict[str, str]):
    """The values of `-c name=value`, read when asked for."""

    def __init__(self, app: App) -> None:
        super().__init__()
        self._app = app

    def get(self, key: str, default: str | None = None) -> str | None:  # type: ignore[override]
        value = self._app.node.try_get_context(key)
        return default if value is None else str(value)


if __name__ == "__main__":
    make_app().synth()
