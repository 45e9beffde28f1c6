"""A queue with everything a queue here has: a dead-letter queue, encryption, alarms."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.constructs.alarms import PERIOD, alarm
from infra.constructs.retention import kept
from infra.settings import Stage

MAX_RECEIVES = 5
KEPT = Duration.days(14)
OLDEST = Duration.minutes(30)
"""A message that waits longer means that its consumer fails or cannot keep up."""


class DeadLetters(sqs.Queue):
    """Messages that could not be handled; one is enough to tell people."""

    def __init__(self, scope: Construct, name: str, stage: Stage, topic: sns.ITopic | None) -> None:
        super().__init__(
            scope,
            "DeadLetters",
            queue_name=f"{stage.named(name)}-dlq",
            retention_period=KEPT,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=_tls(stage),
            removal_policy=kept(stage),
        )
        if topic is not None:
            alarm(
                self,
                "Filled",
                self.metric_approximate_number_of_messages_visible(period=PERIOD, statistic="max"),
                above=0,
                topic=topic,
                about=f"Messages of {name} failed {MAX_RECEIVES} times: read them, repair, redrive.",
            )


class WorkQueue(Construct):
    """A queue whose consumer gets five tries at a message before it goes to the dead-letter queue."""

    def __init__(
        self, scope: Construct, name: str, stage: Stage, *, consumer_timeout_s: int, topic: sns.ITopic | None
    ) -> None:
        super().__init__(scope, name)
        self.dead_letters = DeadLetters(self, name, stage, topic)
        self.queue = sqs.Queue(
            self,
            "Queue",
            queue_name=stage.named(name),
            # AWS's advice for functions: six timeouts, so that retried batches do not overlap their first try.
            visibility_timeout=Duration.seconds(6 * consumer_timeout_s),
            retention_period=KEPT,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=_tls(stage),
            removal_policy=kept(stage),
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.dead_letters, max_receive_count=MAX_RECEIVES),
        )
        if topic is not None:
            alarm(
                self,
                "Late",
                self.queue.metric_approximate_age_of_oldest_message(period=PERIOD, statistic="max"),
                above=OLDEST.to_seconds(),
                topic=topic,
                about=f"The oldest message of {name} waits for more than {OLDEST.to_minutes():.0f} minutes.",
            )


def _tls(stage: Stage) -> bool | None:
    """Demand TLS, except on the local endpoint, which speaks plain HTTP on loopback."""
    return None if stage.local else True
