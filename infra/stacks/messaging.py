"""Queues, the event bus and its archive."""

from __future__ import annotations

import re

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_sns as sns
from constructs import Construct

from infra import catalog
from infra.constructs.nag import accept
from infra.constructs.work_queue import DeadLetters, WorkQueue
from infra.settings import Deployment
from infra.stacks.base import StageStack
from infra.vocabulary import Queue

EVENT_SOURCE = "rmap"
SIGNED_UP = "tenant.created"
"""The event that starts a tenant's billing."""
MOVED = "tenant.state_changed"
"""The event that may end it, or take that back."""
OF_ITS_TENANT = "$.detail.tenant"
"""Of an event: its message group, by which SQS is fair to tenants; EventBridge takes a path since November 2025."""
_KEBAB = re.compile(r"(?<!^)(?=[A-Z])")


class MessagingStack(StageStack):
    """One queue per consumer in the catalog, and the bus whose events all become webhook messages."""

    def __init__(self, scope: Construct, deployment: Deployment, topic: sns.ITopic | None) -> None:
        super().__init__(scope, "messaging", deployment, about="queues and the event bus", stateful=True)
        consumers = catalog.consumers()
        work = {
            queue: WorkQueue(self, queue, self.stage, consumer_timeout_s=consumers[queue].timeout_s, topic=topic)
            for queue in Queue
        }
        self.queues = {queue: made.queue for queue, made in work.items()}
        self.schedule_dead_letters = self._lost("schedules", topic)
        self.bus = self._bus()
        undelivered = self._lost("bus", topic)
        self._send("ToWebhooks", "Every domain event may be a webhook.", work[Queue.WEBHOOK_EVENTS], undelivered)
        self._send("ToBilling", "A new tenant needs a subscription.", work[Queue.BILLING], undelivered, SIGNED_UP)
        ends = "Who is being closed does not go on paying."
        self._send("ToBillingOutcomes", ends, work[Queue.BILLING_OUTCOMES], undelivered, MOVED)
        self.tell("Bus", self.bus.event_bus_name)
        for queue, made in work.items():
            name = queue.title().replace("_", "")
            self.tell(f"Queue{name}", made.queue.queue_url)
            self.tell(f"DeadLetters{name}", made.dead_letters.queue_url)

    def _bus(self) -> events.EventBus:
        bus = events.EventBus(self, "Bus", event_bus_name=self.stage.named("events"))
        bus.apply_removal_policy(self.keep)
        if not self.stage.local:
            bus.archive(
                "Archive",
                archive_name=self.stage.named("events"),
                description="Every domain event, for replay.",
                event_pattern=events.EventPattern(source=[EVENT_SOURCE]),
                retention=Duration.days(self.stage.archive_days),
            )
        return bus

    def _lost(self, whose: str, topic: sns.ITopic | None) -> DeadLetters:
        """Where a service puts what it could not deliver to a function or queue."""
        lost = DeadLetters(Construct(self, f"{whose.capitalize()}Lost"), whose, self.stage, topic)
        accept(lost, "SQS3", f"This is itself where {whose} puts what it could not deliver.")
        return lost

    def _send(
        self, name: str, about: str, work: WorkQueue, undelivered: DeadLetters, event_type: str | None = None
    ) -> None:
        events.Rule(
            self,
            name,
            rule_name=self.stage.named(_KEBAB.sub("-", name).lower()),
            description=about,
            event_bus=self.bus,
            event_pattern=events.EventPattern(source=[EVENT_SOURCE], detail_type=[event_type] if event_type else None),
            targets=[
                targets.SqsQueue(
                    work.queue,
                    message_group_id=OF_ITS_TENANT,
                    dead_letter_queue=undelivered,
                    max_event_age=Duration.hours(2),
                    retry_attempts=20,
                )
            ],
        )
