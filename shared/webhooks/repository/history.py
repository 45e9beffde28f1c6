"""The log from a message's side: the same items as `deliveries` keeps, bounded, as one event may go to thousands."""

from dataclasses import dataclass

from shared.webhooks.errors import MessageNotFound
from shared.webhooks.model import EndpointId, MessageId
from shared.webhooks.rules.retention import is_kept
from tenant_context.clock import Clock, utc_now
from tenant_context.context import TenantContext
from tenant_context.dynamo import Item, Table, TenantTable

_MOST = 200
"""Deliveries, and calls, of a message that are read at once."""


@dataclass(frozen=True, slots=True)
class MessageLog:
    """A message, its deliveries, and their attempts in the order of their time; not `is_whole` where there are more."""

    message: Item
    deliveries: list[Item]
    attempts: list[Item]
    is_whole: bool


class HistoryRepository:
    """Reads it."""

    def __init__(self, table: Table, *, clock: Clock = utc_now) -> None:
        self._table = table
        self._clock = clock

    def of_message(self, tenant: TenantContext, message: MessageId, endpoint: EndpointId) -> list[Item]:
        """The attempts of a message at an endpoint, newest first."""
        found, _ = self._some(tenant, message, f"attempt#{endpoint}#")
        return found[::-1]

    def log(self, tenant: TenantContext, message: MessageId) -> MessageLog:
        """What became of a message. Errors: MessageNotFound."""
        head = TenantTable(self._table, tenant).get(f"message#{message}", "message")
        if head is None or not is_kept(head, self._clock()):
            raise MessageNotFound
        deliveries, all_of_these = self._some(tenant, message, "delivery#")
        attempts, all_of_those = self._some(tenant, message, "attempt#")
        attempts.sort(key=lambda item: str(item["at"]))
        return MessageLog(head, deliveries, attempts, all_of_these and all_of_those)

    def _some(self, tenant: TenantContext, message: MessageId, begin: str) -> tuple[list[Item], bool]:
        """A message's items whose sort keys begin so, up to a number of them; whether those are all."""
        table, key, found = TenantTable(self._table, tenant), f"message#{message}", list[Item]()
        items, start = table.query(key, between=(begin, f"{begin}~"), limit=_MOST)
        found += items
        while start and len(found) < _MOST:
            items, start = table.query(key, between=(begin, f"{begin}~"), limit=_MOST - len(found), start=start)
            found += items
        return [item for item in found if is_kept(item, self._clock())], start is None
