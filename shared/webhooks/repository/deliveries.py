"""Messages, deliveries and attempts in DynamoDB, as long as the tenant's plan keeps logs.

message#<id> / message                         the event as sent, and whether its fan-out is complete
message#<id> / delivery#<endpoint>             where the delivery stands; claimed while an attempt runs; `ended_by` is
                                               the claim whose call was its last attempt
message#<id> / attempt#<endpoint>#<number>#<claim>             what came of one call, of the so-manieth attempt
index gsi1: attempts#<endpoint> / <time>#<message>#<number>#<claim>    the calls of an endpoint, by time
            held#<endpoint> / <message>                        its backlog, in order: ids of messages ascend
            dead#<endpoint> / <message>                        its dead letters, in order
            due#<hour>#<shard> / <time>#…                      attempts that are due later than a queue can hold them

What has expired is read no more, whether or not DynamoDB has removed it.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shared.webhooks.errors import MessageNotFound
from shared.webhooks.model import Delivery, End, EndpointId, Message, MessageId, State, Wait
from shared.webhooks.repository import places
from shared.webhooks.repository.cursors import cursor_of, start_of
from shared.webhooks.rules.log import Search, Span
from shared.webhooks.rules.retention import is_kept
from tenant_context.clock import Clock, rfc3339, utc_now
from tenant_context.context import TenantContext
from tenant_context.dynamo import ConditionFailed, Item, Table, TenantTable
from tenant_context.dynamo_many import Update

_MESSAGE = "message"
_RELEASE = (
    'SET "state" = ? SET updated_at = ? REMOVE gsi1pk REMOVE gsi1sk REMOVE held_for '
    'WHERE pk = ? AND sk = ? AND "state" = ?'
)
_EXPIRED_PAGES = 100
"""Of a backlog that are read for what is still there."""
_PAGES = 10
"""Of an index that are read for one page of a search."""


@dataclass(frozen=True, slots=True)
class Held:
    """A delivery in a backlog, what for, and when it is due (seconds since 1970) where it failed lately."""

    delivery: Delivery
    wait: Wait
    due: float


class DeliveryRepository:
    """The log of what was sent, what came of it, and what is still to do."""

    def __init__(self, table: Table, *, clock: Clock = utc_now) -> None:
        self._table = table
        self._clock = clock

    def open_message(self, tenant: TenantContext, message: Message, now: datetime) -> bool:
        """Record a message; answers whether its fan-out was complete already."""
        table = self._of(tenant)
        item = {
            "message": message.id,
            "type": message.type,
            "payload": message.payload,
            "created_at": rfc3339(now),
            "complete": False,
            "expires_at": message.keep_until,
        }
        if message.whole:
            item["whole"] = message.whole
        try:
            table.put(places.of_message(message.id), _MESSAGE, item, only_if_absent=True)
        except ConditionFailed:
            known = table.get(places.of_message(message.id), _MESSAGE)
            return known is not None and bool(known["complete"])
        return False

    def close_message(self, tenant: TenantContext, message: MessageId) -> None:
        """Every delivery of the message is recorded and queued."""
        self._of(tenant).update(places.of_message(message), _MESSAGE, "SET complete = :true", {":true": True})

    def open_deliveries(
        self,
        tenant: TenantContext,
        message: Message,
        lanes: Mapping[EndpointId, str],
        now: datetime,
        *,
        is_held: bool = False,
    ) -> None:
        """Record deliveries that wait for their first attempt, or in backlogs; one that is there stays as it is.

        `lanes` names the endpoints, each with the lane of its delivery, empty where there is none.
        """
        opened = [self._opened(tenant, message, endpoint, now, lane, is_held) for endpoint, lane in lanes.items()]
        if len(opened) > 1:
            self._table.insert_many(opened)
            return
        for item in opened:
            with suppress(ConditionFailed):
                self._table.put(item, only_if_absent=True)

    def _opened(
        self,
        tenant: TenantContext,
        message: Message,
        endpoint: EndpointId,
        now: datetime,
        lane: str,
        is_held: bool,  # noqa: FBT001  a private step
    ) -> Item:
        table = self._of(tenant)
        item = {
            "message": message.id,
            "endpoint": endpoint,
            "type": message.type,
            "state": State.WAITING,
            "attempts": 0,
            "claimed_until": 0,
            "created_at": rfc3339(now),
            "updated_at": rfc3339(now),
            "expires_at": message.keep_until,
        }
        if lane:
            item["lane"] = lane
        if is_held:
            shelf = {"gsi1pk": table.key(places.held(endpoint)), "gsi1sk": str(message.id)}
            item |= {"state": State.HELD, "held_for": Wait.SHARE, **shelf}
        return table.item(places.of_message(message.id), places.of_delivery(endpoint), item)

    def find(self, tenant: TenantContext, message: MessageId, endpoint: EndpointId) -> Item | None:
        """A delivery as it stands."""
        return self._kept(self._of(tenant).get(places.of_message(message), places.of_delivery(endpoint)))

    def set_aside(
        self, tenant: TenantContext, message: MessageId, endpoint: EndpointId, why: End, now: datetime
    ) -> Item | None:
        """Give up a delivery that waits; None where it does not, or an attempt is under way."""
        table = self._of(tenant)
        try:
            return table.update(
                places.of_message(message),
                places.of_delivery(endpoint),
                "SET #state = :dead, dead_for = :why, updated_at = :at, gsi1pk = :bucket, gsi1sk = :order "
                "REMOVE held_for, next_attempt_at, claimed_by, claimed_until",
                {
                    ":dead": State.DEAD,
                    ":why": why,
                    ":at": rfc3339(now),
                    ":bucket": table.key(places.dead(endpoint)),
                    ":order": str(message),
                    ":waiting": State.WAITING,
                    ":held": State.HELD,
                    ":now": int(now.timestamp()),
                },
                condition="#state IN (:waiting, :held) AND (attribute_not_exists(claimed_until) "
                "OR claimed_until < :now)",
                names={"#state": "state"},
            )
        except ConditionFailed:
            return None

    def held(self, tenant: TenantContext, endpoint: EndpointId, limit: int) -> list[Held]:
        """The first deliveries of an endpoint's backlog, each with the attempt that is next.

        Those whose message is gone are passed over: items expire one by one, up to days apart.
        """
        found: list[Held] = []
        start = None
        for _ in range(_EXPIRED_PAGES):
            items, start = self._of(tenant).query(places.held(endpoint), index="gsi1", limit=limit, start=start)
            of = {item["message"]: item for item in items}
            found += [_held(one, of[str(one.message.id)]) for one in self.with_messages(tenant, items)]
            if len(found) >= limit or start is None:
                break
        return found[:limit]

    def with_messages(self, tenant: TenantContext, items: Sequence[Item]) -> list[Delivery]:
        """The next attempts of some deliveries; those whose message is kept no more are left out."""
        keys = [(places.of_message(message), _MESSAGE) for message in dict.fromkeys(item["message"] for item in items)]
        heads = {item["message"]: item for item in filter(self._kept, self._of(tenant).get_many(keys))}
        return [_next(item, heads[item["message"]]) for item in items if item["message"] in heads]

    def release(self, tenant: TenantContext, deliveries: Sequence[Delivery], now: datetime) -> None:
        """Held deliveries wait for their next attempts again, which are queued already."""
        table = self._of(tenant)
        held = [(table.key(places.of_message(one.message.id)), places.of_delivery(one.endpoint)) for one in deliveries]
        states = State.WAITING.value, State.HELD.value
        moment = rfc3339(now)
        self._table.update_many([Update(_RELEASE, (states[0], moment, *place, states[1])) for place in held])

    def payload(self, tenant: TenantContext, message: MessageId) -> bytes:
        """The whole event, whether or not it was short enough to be sent so. Errors: MessageNotFound."""
        item = self._kept(self._of(tenant).get(places.of_message(message), _MESSAGE))
        if item is None:
            raise MessageNotFound
        return str(item.get("whole") or item["payload"]).encode()

    def attempts(
        self, tenant: TenantContext, endpoint: EndpointId, search: Search, *, cursor: str | None, limit: int
    ) -> tuple[list[Item], str | None]:
        """The attempts at an endpoint that are looked for, newest first, and the cursor of the next page.

        A page may hold fewer than asked for, or none, and yet not be the last: so many are looked at for each.
        """
        table, key = self._of(tenant), places.attempts(endpoint)
        start = start_of(table, key, endpoint, cursor) if cursor else None
        found: list[Item] = []
        for _ in range(_PAGES):
            items, start = table.query(
                key, index="gsi1", limit=limit, descending=True, start=start, between=search.span.times()
            )
            for number, item in enumerate(items):
                found += [item] if search.fits(item) and self._kept(item) else []
                if len(found) == limit and (start or number + 1 < len(items)):
                    return found, cursor_of(item)
            if start is None:
                return found, None
        return found, cursor_of(start) if start else None

    def ended(
        self, tenant: TenantContext, endpoint: EndpointId, *, given_up: bool, low: str, high: str, limit: int
    ) -> list[Item]:
        """What an endpoint was sent, in order of the index: its dead letters, or every attempt."""
        key = places.dead(endpoint) if given_up else places.attempts(endpoint)
        return self._of(tenant).query(key, index="gsi1", limit=limit, between=(low, high))[0]

    def dead(
        self, tenant: TenantContext, endpoint: EndpointId, span: Span, *, after: str | None, limit: int
    ) -> list[tuple[Item, Item | None]]:
        """Dead letters of an endpoint, oldest first, each with its last attempt, if there was one."""
        table, (low, high) = self._of(tenant), span.messages()
        span_of_ids, items, start = (max(low, f"{after}~") if after else low, high), list[Item](), None
        for _ in range(_EXPIRED_PAGES):
            page, start = table.query(
                places.dead(endpoint), index="gsi1", limit=limit, between=span_of_ids, start=start
            )
            items += filter(self._kept, page)
            if len(items) >= limit or start is None:
                break
        items = items[:limit]
        last = {item["message"]: item for item in table.get_many([_last_call(endpoint, one) for one in items])}
        return [(item, last.get(item["message"])) for item in items]

    def replay(
        self,
        tenant: TenantContext,
        message: MessageId,
        endpoint: EndpointId,
        now: datetime,
        *,
        lane: str,
        overdue_since: str = "",
    ) -> Item | None:
        """Put a delivery that has ended back into its endpoint's backlog; None for one that waits anyway.

        With the moment since which it stands as it does, one that is overdue, where nobody has come upon it since.
        """
        table, kept = self._of(tenant), (", lane = :lane", "", {":lane": lane}) if lane else ("", "lane, ", {})
        try:
            return table.update(
                places.of_message(message),
                places.of_delivery(endpoint),
                "SET #state = :held, held_for = :replay, #first = attempts, updated_at = :now, gsi1pk = :bucket, "
                f"gsi1sk = :order{kept[0]} REMOVE {kept[1]}dead_for",
                {
                    **kept[2],
                    ":held": State.HELD,
                    ":replay": Wait.REPLAY,
                    ":now": rfc3339(now),
                    ":bucket": table.key(places.held(endpoint)),
                    ":order": str(message),
                    ":delivered": State.DELIVERED,
                    ":dead": State.DEAD,
                    ":stopped": State.STOPPED,
                    ":waiting": State.WAITING,
                    ":since": overdue_since,
                    ":second": int(now.timestamp()),
                },
                condition="#state IN (:delivered, :dead, :stopped) OR (#state = :waiting AND updated_at = :since "
                "AND (attribute_not_exists(claimed_until) OR claimed_until < :second))",
                names={"#state": "state", "#first": "first"},
            )
        except ConditionFailed:
            return None

    def _kept(self, item: Item | None) -> Item | None:
        return item if item and is_kept(item, self._clock()) else None

    def _of(self, tenant: TenantContext) -> TenantTable:
        return TenantTable(self._table, tenant)


def _held(delivery: Delivery, item: Item) -> Held:
    due = item.get("next_attempt_at")
    return Held(delivery, Wait(item.get("held_for", Wait.SHARE)), datetime.fromisoformat(due).timestamp() if due else 0)


def _last_call(endpoint: EndpointId, item: Item) -> tuple[str, str]:
    """Where the log has the call that was a delivery's last attempt."""
    number, claim = int(item["attempts"]), str(item.get("ended_by", ""))
    return places.of_message(item["message"]), places.of_attempt(endpoint, number, claim)


def _next(item: Item, head: Item) -> Delivery:
    number, first = int(item["attempts"]) + 1, int(item.get("first", 0))
    return Delivery(_message(head), EndpointId(UUID(item["endpoint"])), number, first=first)


def _message(item: Item) -> Message:
    return Message(MessageId(UUID(item["message"])), item["type"], item["payload"], int(item["expires_at"]))
