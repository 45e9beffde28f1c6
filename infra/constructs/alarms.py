"""Alarms: one metric, one threshold, one topic that people listen to."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from constructs import Construct

PERIOD = Duration.minutes(5)


def alarm(
    scope: Construct,
    name: str,
    metric: cloudwatch.IMetric,
    *,
    above: float,
    periods: int = 1,
    topic: sns.ITopic,
    about: str,
) -> cloudwatch.Alarm:
    """Tell the topic when the metric stays above a number for some periods, and again when it is fine.

    A metric without data is fine: an idle platform is not a broken one.
    """
    bell = cloudwatch.Alarm(
        scope,
        name,
        metric=metric,
        threshold=above,
        comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
        evaluation_periods=periods,
        treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        alarm_description=about,
    )
    action = actions.SnsAction(topic)
    bell.add_alarm_action(action)
    bell.add_ok_action(action)
    return bell
