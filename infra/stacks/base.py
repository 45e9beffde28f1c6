"""What every stack of a stage has in common."""

from __future__ import annotations

from aws_cdk import CfnOutput, CliCredentialsStackSynthesizer, Environment, RemovalPolicy, Stack, Tags
from constructs import Construct

from infra.constructs.retention import kept
from infra.settings import REGION, Deployment, Stage


class StageStack(Stack):
    """One part of one stage, named `rmap-<stage>-<part>`.

    A `stateful` part of a protected stage refuses to be deleted. Locally the caller's own credentials deploy: the
    local AWS endpoint enforces IAM, and the roles of `cdk bootstrap` may not publish assets there.
    """

    def __init__(
        self, scope: Construct, part: str, deployment: Deployment, *, about: str, stateful: bool = False
    ) -> None:
        stage = deployment.stage
        super().__init__(
            scope,
            part,
            stack_name=stage.named(part),
            description=f"RMAP {stage.name}: {about}",
            env=Environment(region=REGION),
            synthesizer=CliCredentialsStackSynthesizer() if stage.local else None,
            termination_protection=stateful and stage.protected,
            analytics_reporting=False,
        )
        self.deployment = deployment
        self.stage: Stage = stage
        # CloudFormation takes no tags on this one type that the CDK believes taggable.
        Tags.of(self).add("rmap:stage", stage.name, exclude_resource_types=["AWS::RDS::DBProxyTargetGroup"])

    @property
    def keep(self) -> RemovalPolicy:
        """What becomes of data when its resource leaves the template."""
        return kept(self.stage)

    def tell(self, name: str, value: str) -> None:
        """Print a value after the deploy, and write it to its outputs file."""
        CfnOutput(self, f"Out{name}", value=value).override_logical_id(name)
