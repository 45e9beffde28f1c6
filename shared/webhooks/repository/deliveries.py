"""Messages, deliveries and attempts in DynamoDB, as long as the tenant's plan keeps logs.

message#<id> / message                         the event as sent, and whether its fan-out is complete
message#<id> / delivery#<endpoint>             where the delivery stands; claimed while an attempt runs
message#<id> / attempt#<endpoint>#<number>     what came of one attempt
index gsi1: attempts#<endpoint> / <time>#<message>#<number>    the attempts of an endpoint, by time
            held#<endpoint> / <message>                        its backlog, in order: ids of messages ascend
            dead#<endpoint> / <message>                        its dead letters, in order
            due#<hour>#<shard> / <time>#…                      attempts that are due later than a queue can hold them
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from shared.outbound.model import Outcome
from shared.webhooks.errors import MessageNotFound
from shared.webhooks.model import Delivery, End, EndpointId, Message, MessageId, State, Wait
from shared.webhooks.repository.cursors import cursor_of, start_of
from shared.webhooks.repository.due import place
from shared.webhooks.rules.log import Search, Span, shown_answer
from tenant_context.clock import rfc3339
from tenant_context.context import TenantContext
from tenant_context.dynamo import ConditionFailed, Item, Table, TenantTable

LEASE = timedelta(seconds=75)
"""How long a claim holds: longer than the dispatcher may run, so that a claim outlives only a crash."""
_MESSAGE = "message"
_PAGES = 10
"""Of an index that are read for one page of a search."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the table says of a delivery: its state and how many attempts have ended."""

    state: State
    attempts: int


@dataclass(frozen=True, slots=True)
class Ending:
    """What an attempt came to for its delivery: where it stands, and when the next attempt is due.

    `is_parked` where no queue holds that one; not `attempted` where there was no call, so that none is used up.
    """

    state: State
    next_at: datetime | None = None
    held_for: Wait | None = None
    is_parked: bool = False
    attempted: bool = True


class DeliveryRepository:
    """The log of what was sent, what came of it, and what is still to do."""

    def __init__(self, table: Table) -> None:
        self._table = table

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
            table.put(_key(message.id), _MESSAGE, item, only_if_absent=True)
        except ConditionFailed:
            known = table.get(_key(message.id), _MESSAGE)
            return known is not None and bool(known["complete"])
        return False

    def close_message(self, tenant: TenantContext, message: MessageId) -> None:
        """Every delivery of the message is recorded and queued."""
        self._of(tenant).update(_key(message), _MESSAGE, "SET complete = :true", {":true": True})

    def open_delivery(
        self,
        tenant: TenantContext,
        message: Message,
        endpoint: EndpointId,
        now: datetime,
        *,
        lane: str = "",
        is_held: bool = False,
    ) -> None:
        """Record a delivery that waits for its first attempt, or in the backlog; one that is there stays as it is."""
        table = self._of(tenant)
        item = {
            "message": message.id,
            "endpoint": endpoint,
            "type": message.type,
            "state": State.WAITING,
            "attempts": 0,
            "created_at": rfc3339(now),
            "updated_at": rfc3339(now),
            "expires_at": message.keep_until,
        }
        if lane:
            item["lane"] = lane
        if is_held:
            place = {"gsi1pk": table.key(_held(endpoint)), "gsi1sk": str(message.id)}
            item |= {"state": State.HELD, "held_for": Wait.SHARE, **place}
        try:
            table.put(_key(message.id), f"delivery#{endpoint}", item, only_if_absent=True)
        except ConditionFailed:
            return

    def claim(self, tenant: TenantContext, delivery: Delivery, claim: str, now: datetime) -> Item | None:
        """Take an attempt for oneself: it is the next one, and nobody is at it. `claim` names the one who asks.

        Answers the delivery's item, which is in no index any more; None where it is not to be had.
        """
        try:
            return self._of(tenant).update(
                _key(delivery.message.id),
                f"delivery#{delivery.endpoint}",
                "SET #state = :waiting, claimed_by = :claim, claimed_until = :until REMOVE gsi1pk, gsi1sk, held_for",
                {
                    ":claim": claim,
                    ":until": int((now + LEASE).timestamp()),
                    ":waiting": State.WAITING,
                    ":held": State.HELD,
                    ":ended": delivery.attempt - 1,
                    ":now": int(now.timestamp()),
                },
                condition="#state IN (:waiting, :held) AND attempts = :ended AND (attribute_not_exists(claimed_until) "
                "OR claimed_until < :now OR claimed_by = :claim)",
                names={"#state": "state"},
            )
        except ConditionFailed:
            return None

    def standing(self, tenant: TenantContext, delivery: Delivery) -> Standing | None:
        """Where a delivery stands, or None for one that is not there (any more)."""
        item = self._of(tenant).get(_key(delivery.message.id), f"delivery#{delivery.endpoint}")
        return Standing(State(item["state"]), item["attempts"]) if item else None

    def record_attempt(
        self,
        tenant: TenantContext,
        delivery: Delivery,
        url: str,
        outcome: Outcome,
        at: datetime,
        *,
        sent: Mapping[str, str],
    ) -> None:
        """Keep what came of an attempt, and the headers that were `sent`; repeating it changes nothing."""
        table = self._of(tenant)
        message, endpoint, number = delivery.message.id, delivery.endpoint, delivery.attempt
        item = {
            "message": message,
            "endpoint": endpoint,
            "type": delivery.message.type,
            "attempt": number,
            "at": rfc3339(at),
            "url": url,
            "sent": dict(sent),
            "status": outcome.status,
            "answered": shown_answer(outcome.headers),
            "error": outcome.error,
            "body": outcome.body.decode(errors="replace"),
            "timing": dict(outcome.timing),
            "expires_at": delivery.message.keep_until,
            "gsi1pk": table.key(f"attempts#{endpoint}"),
            "gsi1sk": f"{rfc3339(at)}#{message}#{number:03}",
        }
        table.put(_key(message), f"attempt#{endpoint}#{number:03}", item)

    def end_attempt(self, tenant: TenantContext, delivery: Delivery, claim: str, end: Ending, *, now: datetime) -> None:
        """Say where the delivery stands after an attempt of the claim's holder; nothing if another has taken over."""
        table, (message, endpoint) = self._of(tenant), (delivery.message.id, delivery.endpoint)
        values = {
            ":state": end.state,
            ":ended": delivery.attempt if end.attempted else delivery.attempt - 1,
            ":now": rfc3339(now),
            ":next": rfc3339(end.next_at) if end.next_at else None,
            ":claim": claim,
        }
        more = ""
        if end.held_for is not None:
            more = ", held_for = :held_for"
            values[":held_for"] = end.held_for
        if end.state is State.DEAD:
            more = ", dead_for = :dead_for"
            values[":dead_for"] = End.ATTEMPTS
        if index := self._index(table, end, message, endpoint):
            more += ", gsi1pk = :bucket, gsi1sk = :order"
            values[":bucket"], values[":order"] = index
        with suppress(ConditionFailed):
            table.update(
                _key(message),
                f"delivery#{endpoint}",
                f"SET #state = :state, attempts = :ended, updated_at = :now, next_attempt_at = :next{more} "
                "REMOVE claimed_by, claimed_until",
                values,
                condition="claimed_by = :claim",
                names={"#state": "state"},
            )

    @staticmethod
    def _index(table: TenantTable, end: Ending, message: MessageId, endpoint: EndpointId) -> tuple[str, str] | None:
        """Where the delivery stands in the index, if it does."""
        if end.state is State.DEAD:
            return table.key(_dead(endpoint)), str(message)
        if end.state is State.HELD and end.held_for is not Wait.ORDER:
            return table.key(_held(endpoint)), str(message)
        if end.is_parked and end.next_at is not None:
            return place(end.next_at.timestamp(), f"{message}#{endpoint}")
        return None

    def find(self, tenant: TenantContext, message: MessageId, endpoint: EndpointId) -> Item | None:
        """A delivery as it stands."""
        return self._of(tenant).get(_key(message), f"delivery#{endpoint}")

    def set_aside(
        self, tenant: TenantContext, message: MessageId, endpoint: EndpointId, why: End, now: datetime
    ) -> Item | None:
        """Give up a delivery that waits; None where it does not, or an attempt is under way."""
        table = self._of(tenant)
        try:
            return table.update(
                _key(message),
                f"delivery#{endpoint}",
                "SET #state = :dead, dead_for = :why, updated_at = :at, gsi1pk = :bucket, gsi1sk = :order "
                "REMOVE held_for, next_attempt_at, claimed_by, claimed_until",
                {
                    ":dead": State.DEAD,
                    ":why": why,
                    ":at": rfc3339(now),
                    ":bucket": table.key(_dead(endpoint)),
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

    def held(self, tenant: TenantContext, endpoint: EndpointId, limit: int) -> list[Delivery]:
        """The first deliveries of an endpoint's backlog, each with the attempt that is next."""
        items, _ = self._of(tenant).query(_held(endpoint), index="gsi1", limit=limit)
        return self.with_messages(tenant, items)

    def with_messages(self, tenant: TenantContext, items: Sequence[Item]) -> list[Delivery]:
        """The next attempts of some deliveries; those whose message is kept no more are left out."""
        keys = [(_key(message), _MESSAGE) for message in dict.fromkeys(item["message"] for item in items)]
        heads = {item["message"]: item for item in self._of(tenant).get_many(keys)}
        return [_next(item, heads[item["message"]]) for item in items if item["message"] in heads]

    def release(self, tenant: TenantContext, delivery: Delivery) -> None:
        """A held delivery waits for its next attempt again, which is queued already."""
        with suppress(ConditionFailed):
            self._of(tenant).update(
                _key(delivery.message.id),
                f"delivery#{delivery.endpoint}",
                "SET #state = :waiting REMOVE gsi1pk, gsi1sk, held_for",
                {":waiting": State.WAITING, ":held": State.HELD},
                condition="#state = :held",
                names={"#state": "state"},
            )

    def payload(self, tenant: TenantContext, message: MessageId) -> bytes:
        """The whole event, whether or not it was short enough to be sent so. Errors: MessageNotFound."""
        item = self._of(tenant).get(_key(message), _MESSAGE)
        if item is None:
            raise MessageNotFound
        return str(item.get("whole") or item["payload"]).encode()

    def attempts(
        self, tenant: TenantContext, endpoint: EndpointId, search: Search, *, cursor: str | None, limit: int
    ) -> tuple[list[Item], str | None]:
        """The attempts at an endpoint that are looked for, newest first, and the cursor of the next page.

        A page may hold fewer than asked for, or none, and yet not be the last: so many are looked at for each.
        """
        table, key = self._of(tenant), f"attempts#{endpoint}"
        start = start_of(table, key, endpoint, cursor) if cursor else None
        found: list[Item] = []
        for _ in range(_PAGES):
            items, start = table.query(
                key, index="gsi1", limit=limit, descending=True, start=start, between=search.span.times()
            )
            for number, item in enumerate(items):
                found += [item] if search.fits(item) else []
                if len(found) == limit and (start or number + 1 < len(items)):
                    return found, cursor_of(item)
            if start is None:
                return found, None
        return found, cursor_of(start) if start else None

    def ended(
        self, tenant: TenantContext, endpoint: EndpointId, *, given_up: bool, low: str, high: str, limit: int
    ) -> list[Item]:
        """What an endpoint was sent, in order of the index: its dead letters, or every attempt."""
        key = _dead(endpoint) if given_up else f"attempts#{endpoint}"
        return self._of(tenant).query(key, index="gsi1", limit=limit, between=(low, high))[0]

    def dead(
        self, tenant: TenantContext, endpoint: EndpointId, span: Span, *, after: str | None, limit: int
    ) -> list[tuple[Item, Item | None]]:
        """Dead letters of an endpoint, oldest first, each with its last attempt, if there was one."""
        table, (low, high) = self._of(tenant), span.messages()
        items, _ = table.query(
            _dead(endpoint), index="gsi1", limit=limit, between=(max(low, f"{after}~") if after else low, high)
        )
        keys = [(_key(one["message"]), f"attempt#{endpoint}#{int(one['attempts']):03}") for one in items]
        last = {item["message"]: item for item in table.get_many(keys)}
        return [(item, last.get(item["message"])) for item in items]

    def replay(
        self, tenant: TenantContext, message: MessageId, endpoint: EndpointId, now: datetime, *, lane: str
    ) -> Item | None:
        """Put a delivery that has ended back into its endpoint's backlog; None for one that waits anyway."""
        table, kept = self._of(tenant), (", lane = :lane", "", {":lane": lane}) if lane else ("", "lane, ", {})
        try:
            return table.update(
                _key(message),
                f"delivery#{endpoint}",
                "SET #state = :held, held_for = :replay, #first = attempts, updated_at = :now, gsi1pk = :bucket, "
                f"gsi1sk = :order{kept[0]} REMOVE {kept[1]}dead_for",
                {
                    **kept[2],
                    ":held": State.HELD,
                    ":replay": Wait.REPLAY,
                    ":now": rfc3339(now),
                    ":bucket": table.key(_held(endpoint)),
                    ":order": str(message),
                    ":delivered": State.DELIVERED,
                    ":dead": State.DEAD,
                    ":stopped": State.STOPPED,
                },
                condition="#state IN (:delivered, :dead, :stopped)",
                names={"#state": "state", "#first": "first"},
            )
        except ConditionFailed:
            return None

    def _of(self, tenant: TenantContext) -> TenantTable:
        return TenantTable(self._table, tenant)


def _key(message: MessageId | str) -> str:
    return f"message#{message}"


def _held(endpoint: EndpointId) -> str:
    return f"held#{endpoint}"


def _dead(endpoint: EndpointId) -> str:
    return f"dead#{endpoint}"


def _next(item: Item, head: Item) -> Delivery:
    number, first = int(item["attempts"]) + 1, int(item.get("first", 0))
    return Delivery(_message(head), EndpointId(UUID(item["endpoint"])), number, first=first)


def _message(item: Item) -> Message:
    return Message(MessageId(UUID(item["message"])), item["type"], item["payload"], int(item["expires_at"]))
