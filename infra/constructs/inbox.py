"""The alarms of the inbox, on numbers that its sweep tells."""

from __future__ import annotations

from typing import Final

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sns as sns
from constructs import Construct

from infra.constructs.alarms import PERIOD, alarm

OLDEST_S: Final = 900
"""An entry that waits longer was not worked on at once, nor by the retries after that."""
_DIMENSIONS: Final = {"service": "inbox_worker", "operation": "inbox"}


def inbox_alarms(scope: Construct, topic: sns.ITopic) -> None:
    """Tell people of entries that nobody works on, and of those that were given up."""
    alarm(
        scope,
        "InboxLate",
        _metric("InboxOldestSeconds"),
        above=OLDEST_S,
        topic=topic,
        about=f"The oldest entry of the inbox waits for more than {OLDEST_S // 60} minutes.",
    )
    alarm(
        scope,
        "InboxFailed",
        _metric("InboxFailed"),
        above=0,
        topic=topic,
        about="Entries of the inbox were given up: read why, mend, replay.",
    )


def _metric(name: str) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace="RMAP", metric_name=name, dimensions_map=dict(_DIMENSIONS), statistic="max", period=PERIOD
    )
