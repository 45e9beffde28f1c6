"""The order of what is about one entity, for endpoints that ask for it.

lane#<endpoint>#<entity> / <message>    a delivery that has not ended; the first one may be sent, the others wait for it

Ids of messages ascend with time, so that an event that comes to the fan-out late still takes its place.
"""

from hashlib import sha256

from shared.webhooks.model import EndpointId, MessageId
from tenant_context.context import TenantContext
from tenant_context.dynamo import ConditionFailed, Table, TenantTable


def lane_of(endpoint: EndpointId, subject: str) -> str:
    """The lane of an entity at an endpoint."""
    return f"lane#{endpoint}#{sha256(subject.encode()).hexdigest()[:32]}"


class LaneRepository:
    """Reads and writes lanes, as last written."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def join(self, tenant: TenantContext, lane: str, message: MessageId, keep_until: int) -> None:
        """Take a place; one that is taken stays as it is."""
        item = {"message": message, "behind": 0, "expires_at": keep_until}
        try:
            TenantTable(self._table, tenant).put(lane, str(message), item, only_if_absent=True)
        except ConditionFailed:
            return

    def first(self, tenant: TenantContext, lane: str) -> str | None:
        """The message whose turn it is."""
        items, _ = TenantTable(self._table, tenant).query(lane, limit=1, consistent=True)
        return str(items[0]["message"]) if items else None

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
