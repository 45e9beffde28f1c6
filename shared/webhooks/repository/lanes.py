"""The order of what is about one entity, for endpoints that ask for it.

lane#<endpoint>#<entity> / <message>    a delivery that has not ended; the first one may be sent, the others wait for it

Ids of messages ascend with time, so that an event that comes to the fan-out late still takes its place. Who comes
before it takes its place for it, which is kept until a moment.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from shared.webhooks.model import EndpointId, MessageId
from tenant_context.context import TenantContext
from tenant_context.dynamo import ConditionFailed, Table, TenantTable

_AGAIN = "#again"


def lane_of(endpoint: EndpointId, subject: str) -> str:
    """The lane of an entity at an endpoint."""
    return f"lane#{endpoint}#{sha256(subject.encode()).hexdigest()[:32]}"


def again(lane: str) -> str:
    """The lane for what comes again of those that were in one; none for those that were in none."""
    return f"{lane.removesuffix(_AGAIN)}{_AGAIN}" if lane else ""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a lane; `until` (seconds since 1970) it is kept for a delivery that has not come yet."""

    message: str
    until: float


class LaneRepository:
    """Reads and writes lanes, as last written."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def join(self, tenant: TenantContext, lane: str, message: MessageId, *, until: float, keep_until: int) -> None:
        """Take a place; one that is taken stays as it is."""
        item = {"message": message, "behind": 0, "until": int(until), "expires_at": keep_until}
        try:
            TenantTable(self._table, tenant).put(lane, str(message), item, only_if_absent=True)
        except ConditionFailed:
            return

    def unopened(self, tenant: TenantContext, endpoint: EndpointId, messages: Sequence[MessageId]) -> list[MessageId]:
        """Those of some messages that have not come to the fan-out for an endpoint, as far as can be seen."""
        keys = [(f"message#{message}", f"delivery#{endpoint}") for message in messages]
        opened = {item["message"] for item in TenantTable(self._table, tenant).get_many(keys)}
        return [message for message in messages if str(message) not in opened]

    def first(self, tenant: TenantContext, lane: str) -> Place | None:
        """The place whose turn it is."""
        items, _ = TenantTable(self._table, tenant).query(lane, limit=1, consistent=True)
        return Place(str(items[0]["message"]), float(items[0].get("until", 0))) if items else None

    def wait_behind(self, tenant: TenantContext, lane: str, first: str) -> int:
        """Count one more that waits for the first; how many came since it is the first."""
        try:
            item = TenantTable(self._table, tenant).update(
                lane, first, "ADD behind :one", {":one": 1}, condition="attribute_exists(pk)"
            )
        except ConditionFailed:
            return 0
        return int(item["behind"])

    def leave(self, tenant: TenantContext, lane: str, message: str) -> None:
        """Give up a place."""
        TenantTable(self._table, tenant).delete(lane, message)
