"""Events onto the bus, right after their transaction; what stays behind the relay sweeps up."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import msgspec

from tenant_context.aws import AwsClient, AwsError
from tenant_context.context import TenantContext
from tenant_context.events import SOURCE, Event
from tenant_context.observability import Observability

MAX_ENTRIES = 10
"""PutEvents takes ten entries a call."""
MAX_BYTES = 262_144
"""And so many bytes, all of them together."""
_REFUSALS = frozenset({"ValidationException", "ValidationError", "SerializationException", "RequestEntityTooLarge"})
_FOR_NOW = frozenset({"ThrottlingException", "InternalFailure", "InternalException"})


@dataclass(slots=True)
class Given:
    """What became of some envelopes, by their ids; those in neither were not asked about, or are taken later."""

    taken: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    """With why: the bus will not take these however often it is asked."""


@dataclass(frozen=True, slots=True)
class _Entry:
    id: str
    wire: dict[str, object]
    size: int


class Bus:
    """The EventBridge bus of the platform."""

    def __init__(self, name: str, client: AwsClient | None = None) -> None:
        self._name = name
        self._client = client or AwsClient("events")

    def put(self, envelopes: Sequence[dict[str, object]]) -> list[str]:
        """Send envelopes; answers the ids of those the bus took. Raises `AwsError` where it does not answer."""
        return self.give(envelopes).taken

    def give(self, envelopes: Sequence[dict[str, object]]) -> Given:
        """The same, and which of them the bus refuses; one of those keeps no other back.

        A bus that stops answering on the way is left alone; raises `AwsError` where it took none before.
        """
        given = Given()
        entries = [self._entry(one) for one in envelopes]
        for one in entries:
            if one.size > MAX_BYTES:
                given.refused[one.id] = f"it has {one.size} bytes, and the bus takes {MAX_BYTES}"
        try:
            for part in _parts([one for one in entries if one.size <= MAX_BYTES]):
                self._give(part, given)
        except AwsError:
            if not given.taken:
                raise
        return given

    def _entry(self, envelope: dict[str, object]) -> _Entry:
        detail, kind = msgspec.json.encode(envelope), str(envelope["type"])
        wire: dict[str, object] = {"EventBusName": self._name, "Source": SOURCE}
        wire |= {"DetailType": kind, "Detail": detail.decode()}
        return _Entry(str(envelope["id"]), wire, len(detail) + len(kind.encode()) + len(SOURCE))

    def _give(self, part: Sequence[_Entry], given: Given) -> None:
        try:
            answer = self._client.call("PutEvents", {"Entries": [one.wire for one in part]})
        except AwsError as error:
            if error.code not in _REFUSALS:
                raise
            if len(part) == 1:
                given.refused[part[0].id] = str(error)
                return
            for one in part:  # which of them it was, only each alone tells
                self._give([one], given)
            return
        for one, result in zip(part, answer.get("Entries", []), strict=True):
            code = result.get("ErrorCode")
            if not code:
                given.taken.append(one.id)
            elif code not in _FOR_NOW:
                given.refused[one.id] = f"{code}: {result.get('ErrorMessage', '')}"


def _parts(entries: Sequence[_Entry]) -> Iterator[list[_Entry]]:
    """As many in a call as it takes, in their order."""
    part: list[_Entry] = []
    for one in entries:
        if part and (len(part) == MAX_ENTRIES or sum(other.size for other in part) + one.size > MAX_BYTES):
            yield part
            part = []
        part.append(one)
    if part:
        yield part


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
