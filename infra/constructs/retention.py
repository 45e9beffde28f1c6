"""What stays when its resource leaves a template, and log groups that forget."""

from __future__ import annotations

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.settings import Stage

_RETENTION = {
    7: logs.RetentionDays.ONE_WEEK,
    30: logs.RetentionDays.ONE_MONTH,
    90: logs.RetentionDays.THREE_MONTHS,
    365: logs.RetentionDays.ONE_YEAR,
}


def kept(stage: Stage) -> RemovalPolicy:
    """What becomes of a thing that holds data when its resource leaves the template."""
    return RemovalPolicy.RETAIN if stage.protected else RemovalPolicy.DESTROY


def log_group(scope: Construct, construct_id: str, stage: Stage, name: str) -> logs.LogGroup:
    """A log group that keeps its lines as long as the stage says."""
    return logs.LogGroup(
        scope,
        construct_id,
        log_group_name=name,
        retention=_RETENTION[stage.log_days],
        removal_policy=kept(stage),
    )
