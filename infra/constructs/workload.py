"""A function of the catalog with its role, log, version, alias and alarms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra import catalog
from infra.assets import Assets
from infra.constructs import permissions
from infra.constructs.alarms import PERIOD, alarm
from infra.constructs.nag import accept
from infra.constructs.resources import Resources
from infra.constructs.retention import log_group
from infra.stacks.base import StageStack
from infra.stacks.network import NetworkStack
from infra.vocabulary import Access, Bucket, Function, Key, Reach, Secret

ALIAS = "live"
"""Everything calls functions through this alias, so that it decides which version answers."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every function of a stage is built from."""

    resources: Resources
    assets: Assets
    api_url: str
    network: NetworkStack | None


class Workloads(Construct):
    """Makes functions in one stack; each stack has layers of its own, because an export cannot be replaced."""

    def __init__(self, scope: StageStack, around: Surroundings) -> None:
        super().__init__(scope, "Workloads")
        self._home = scope
        self._around = around
        self._layers: dict[str, lambda_.LayerVersion] = {}

    def add(self, row: Function) -> lambda_.Alias:
        """Make a function and return the alias by which it is called."""
        scope = Construct(self._home, row.name)
        stage = self._home.stage
        name = stage.named(row.name)
        log = log_group(scope, "Log", stage, f"/aws/lambda/{name}")
        asset = self._around.assets.functions[row.name]
        network = self._around.network if row.reach is not Reach.INTERNET else None
        function = lambda_.Function(
            scope,
            "Function",
            function_name=name,
            description=row.purpose,
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.X86_64 if stage.local else lambda_.Architecture.ARM_64,
            handler=row.handler,
            code=lambda_.Code.from_asset(str(asset.package), asset_hash=asset.digest),
            layers=[self._layer(layer) for layer in (catalog.KERNEL_LAYER, *row.layers)],
            memory_size=row.memory_mb,
            timeout=Duration.seconds(row.timeout_s),
            environment=permissions.environment(
                row, self._home.deployment, self._around.resources, api_url=self._around.api_url
            ),
            role=self._role(scope, row, name, log.log_group_arn, networked=network is not None),
            log_group=log,
            tracing=lambda_.Tracing.DISABLED if stage.local else lambda_.Tracing.ACTIVE,
            vpc=network.vpc if network else None,
            vpc_subnets=network.subnets if network else None,
            # CloudFormation would remove the version before, and with it the way back that the alias offers.
            current_version_options=lambda_.VersionOptions(removal_policy=RemovalPolicy.RETAIN),
            security_groups=[network.function_group(row.reach, owner=_owner(row))] if network else None,
        )
        accept(
            function, "L1", "Python 3.13 is the version that every dependency has arm64 wheels for and is tested on."
        )
        # The CDK repeats what the reference to the role says already, and cfn-lint minds.
        cast("lambda_.CfnFunction", function.node.default_child).add_deletion_override("DependsOn")
        self._alarms(function, row)
        return lambda_.Alias(scope, "Live", alias_name=ALIAS, version=function.current_version)

    def _role(self, scope: Construct, row: Function, name: str, log_arn: str, *, networked: bool) -> iam.IRole:
        """A role whose policy is complete here: nothing that uses the function can widen it later."""
        traced = not self._home.stage.local
        granted = permissions.statements(row, self._home.stage, self._around.resources)
        granted += permissions.runtime_statements(log_arn, traced=traced)
        if networked:
            granted += permissions.network_statements(self._home, name)
        role = iam.Role(
            scope,
            "Role",
            role_name=name,
            description=f"What {row.name} may do",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            inline_policies={"catalog": iam.PolicyDocument(statements=granted)},
        )
        if traced or networked:
            accept(
                role,
                "IAM5[Resource::*]",
                "X-Ray, network interfaces and kms:CreateKey know no resource-level permissions; the function's own "
                "code is denied the second, the third is bounded by kind and tags, and no other statement names "
                "every resource.",
            )
        if any(permission.resource is Key.SIGNING for permission in row.permissions):
            accept(
                role,
                "IAM5[Resource::arn:aws:kms:us-east-1:<AWS::AccountId>:key/*]",
                "Signing keys are made while the platform runs and have no name yet: tags and kind bound the right.",
            )
        for bucket in {granted.resource for granted in row.permissions if isinstance(granted.resource, Bucket)}:
            accept(
                role,
                f"IAM5[Resource::arn:aws:s3:::{self._home.stage.named(bucket)}-<AWS::AccountId>/*]",
                "Every object of the bucket, and of no other: archives get their names while the platform runs.",
            )
        return role.without_policy_updates()

    def _layer(self, name: str) -> lambda_.LayerVersion:
        if name not in self._layers:
            asset = self._around.assets.layers[name]
            self._layers[name] = lambda_.LayerVersion(
                self,
                f"Layer{name.title().replace('_', '')}",
                layer_version_name=self._home.stage.named(f"{self._home.node.id}-{name}"),
                description=f"RMAP {name}",
                code=lambda_.Code.from_asset(str(asset.package), asset_hash=asset.digest),
                compatible_runtimes=[lambda_.Runtime.PYTHON_3_13],
                # An older version of a function still runs with the layer it was published with.
                removal_policy=self._home.keep,
            )
        return self._layers[name]

    def _alarms(self, function: lambda_.Function, row: Function) -> None:
        topic = self._around.resources.topic
        if topic is None:
            return
        alarm(
            function,
            "Errors",
            function.metric_errors(period=PERIOD),
            above=0,
            periods=1 if row.is_rare else 2,
            topic=topic,
            about=f"{row.name} ends in an exception or a timeout.",
        )
        alarm(
            function,
            "Throttles",
            function.metric_throttles(period=PERIOD),
            above=0,
            periods=2,
            topic=topic,
            about=f"{row.name} is called more often than it may run at once.",
        )
        for bell in row.bells:
            noted = cloudwatch.Metric(
                namespace=permissions.METRICS,
                metric_name=bell.metric,
                dimensions_map={"service": row.name, "operation": bell.operation},
                period=PERIOD,
                statistic="max",
            )
            alarm(function, bell.metric, noted, above=bell.above, topic=topic, about=bell.about)


def _owner(row: Function) -> bool:
    return row.may(Access.READ_SECRET, Secret.DATABASE_OWNER)
