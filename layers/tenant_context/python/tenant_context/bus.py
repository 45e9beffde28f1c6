"""Events onto the bus, right after their transaction; what stays behind the relay sweeps up."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from tenant_context.aws import AwsClient, AwsError
from tenant_context.context import TenantContext
from tenant_context.events import SOURCE, Event
from tenant_context.observability import Observability

MAX_ENTRIES = 10
"""PutEvents takes ten entries a call."""


class Bus:
    """The EventBridge bus of the platform."""

    def __init__(self, name: str, client: AwsClient | None = None) -> None:
        self._name = name
        self._client = client or AwsClient("events")

    def put(self, envelopes: Sequence[dict[str, object]]) -> list[str]:
        """Send envelopes; answers the ids of those the bus took."""
        taken: list[str] = []
        for start in range(0, len(envelopes), MAX_ENTRIES):
            part = envelopes[start : start + MAX_ENTRIES]
            answer = self._client.call(
                "PutEvents",
                {
                    "Entries": [
                        {
                            "EventBusName": self._name,
                            "Source": SOURCE,
                            "DetailType": envelope["type"],
                            "Detail": msgspec.json.encode(envelope).decode(),
                        }
                        for envelope in part
                    ]
                },
            )
            results = answer.get("Entries", [])
            taken += [
                str(envelope["id"])
                for envelope, result in zip(part, results, strict=True)
                if not result.get("ErrorCode")
            ]
        return taken


class OutboxPublisher:
    """Publishes what a transaction emitted; a failure is logged and left to the relay."""

    def __init__(self, bus: Bus, observability: Observability) -> None:
        self._bus = bus
        self._observability = observability

    def publish(self, tenant: TenantContext, events: Sequence[Event], now: datetime) -> list[UUID]:
        """Send the events; answers the ids of those the bus took."""
        try:
            taken = self._bus.put([event.envelope(tenant.tenant, now) for event in events])
        except AwsError as error:
            self._observability.warning("events left for the relay", reason=str(error), count=len(events))
            return []
        return [UUID(event) for event in taken]
