"""The queue door: each record is one message of one tenant, handled in its own transaction.

A message is `{"tenant": …, "id": …, "kind": …, "data": …}` in an SQS body; `id` is the request it came from, so that
a line in the logs of a worker leads back to it. A record that fails goes back alone (partial batch response); after
five times it is in the dead-letter queue. One that can never succeed is logged and let go to the dead-letter queue
at the same pace: a queue of ours holds only what our own functions wrote.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

import msgspec

from tenant_context.context import TenantContext, from_message
from tenant_context.errors import NotInState, RmapError, Unavailable
from tenant_context.observability import Invocation, Observability
from tenant_context.states import Need, permitting


class Message(msgspec.Struct, frozen=True):
    """What our functions say to each other through a queue."""

    tenant: UUID
    id: str
    kind: str
    data: dict[str, Any]

    def encode(self) -> bytes:
        """The SQS body."""
        return msgspec.json.encode(self)


Work = Callable[[TenantContext, Message], None]
Together = Callable[[Sequence[tuple[TenantContext, Message]]], None]
"""Works on some messages of one tenant as one: all of them, or none and it raises."""
MOST_TOGETHER = 50
_SMALL = 20_000
"""Bytes of a message that shares its transaction with others: a large one gains nothing by that."""


class QueueEntry:
    """`handler(event, context)` of a function that a queue triggers.

    `ahead` is given every message of a batch before the first is worked on: the place to start slow calls that then
    run side by side. It says nothing about success; a message's own turn does. `need` is what the work wants of its
    tenant: a message for one whose state does not permit it, or that is gone, is let go. PostgreSQL judges it where a
    transaction begins; a function without it asks `state_of`. `needs` names kinds of messages that want something else.

    `together` is given the small messages of a tenant that come for the first time. When that fails, each has its own
    turn as ever: so whichever of them is to blame fails alone.
    """

    def __init__(
        self,
        work: Work,
        *,
        observability: Observability,
        read: Callable[[str], Message] | None = None,
        ahead: Work | None = None,
        need: Need | None = None,
        needs: Mapping[str, Need] | None = None,
        state_of: Callable[[UUID], str] | None = None,
        together: Together | None = None,
    ) -> None:
        self._work = work
        self._observability = observability
        self._read = read or read_message
        self._ahead = ahead
        self._usual = permitting(need) if need else ()
        self._states = {kind: permitting(other) for kind, other in (needs or {}).items()}
        self._state_of = state_of
        self._together = together

    def __call__(self, event: Mapping[str, Any], _context: Any) -> dict[str, Any]:
        """Handle a batch; answers which records failed."""
        if self._ahead is not None:
            for record in event["Records"]:
                # What cannot be read or judged fails in its own turn, where it is logged.
                with suppress(msgspec.MsgspecError, KeyError, ValueError, RmapError):
                    message = self._read(record["body"])
                    self._judge(message)
                    self._ahead(from_message(message.tenant, message.id), message)
        done = self._groups(event["Records"], self._together) if self._together else set()
        left = [record for record in event["Records"] if record["messageId"] not in done]
        failed = [{"itemIdentifier": record["messageId"]} for record in left if not self._handle(record)]
        return {"batchItemFailures": failed}

    def _groups(self, records: Sequence[Mapping[str, Any]], together: Together) -> set[str]:
        """Work on what can be worked on together; the ids of the records that were."""
        tenants: dict[UUID, list[tuple[str, TenantContext, Message]]] = {}
        for record in records:
            if len(record["body"]) > _SMALL or record.get("attributes", {}).get("ApproximateReceiveCount", "1") != "1":
                continue
            # What cannot be read fails in its own turn, where it is logged.
            with suppress(msgspec.MsgspecError, KeyError, ValueError):
                message = self._read(record["body"])
                tenant = from_message(message.tenant, message.id, self._permitting(message))
                tenants.setdefault(message.tenant, []).append((record["messageId"], tenant, message))
        done: set[str] = set()
        for waiting in tenants.values():
            for start in range(0, len(waiting), MOST_TOGETHER):
                group = waiting[start : start + MOST_TOGETHER]
                if len(group) > 1 and self._all_of(group, together):
                    done |= {record for record, _, _ in group}
        return done

    def _all_of(self, group: Sequence[tuple[str, TenantContext, Message]], together: Together) -> bool:
        """Whether a group was worked on as one."""
        record, tenant, message = group[0]
        with self._observability.invocation(record, "queue") as invocation:
            invocation.operation = message.kind
            invocation.keys["messages"] = len(group)
            invocation.caller(tenant)
            try:
                together([(one, each) for _, one, each in group])
            except Exception as error:  # noqa: BLE001  each of them is tried alone then, and fails alone
                self._observability.warning("each alone", reason=f"{type(error).__name__}: {error}"[:500])
                return False
        return True

    def _handle(self, record: Mapping[str, Any]) -> bool:
        with self._observability.invocation(record["messageId"], "queue") as invocation:
            invocation.keys["receives"] = record.get("attributes", {}).get("ApproximateReceiveCount")
            try:
                self._one(record, invocation)
            except Exception:  # noqa: BLE001  one record must leave the others of the batch alone
                self._observability.exception("record failed")
                invocation.success = False
            return invocation.success

    def _one(self, record: Mapping[str, Any], invocation: Invocation) -> None:
        message = self._read(record["body"])
        invocation.operation = message.kind
        tenant = from_message(message.tenant, message.id, self._permitting(message))
        invocation.caller(tenant)
        try:
            self._do(tenant, message)
        except NotInState as error:
            # Nobody will want it done later either: the message is let go.
            self._observability.warning("let go", reason=error.detail)
        except Unavailable as error:
            # A deadlock or a lost connection is over by now; the queue would wait for its visibility time-out.
            self._observability.warning("once more", reason=error.detail)
            self._do(tenant, message)

    def _do(self, tenant: TenantContext, message: Message) -> None:
        self._judge(message)
        self._work(tenant, message)

    def _permitting(self, message: Message) -> tuple[str, ...]:
        return self._states.get(message.kind, self._usual)

    def _judge(self, message: Message) -> None:
        """Raise `NotInState` where it is known without PostgreSQL that the tenant's state does not permit the work."""
        if self._state_of is not None and (state := self._state_of(message.tenant)) not in self._permitting(message):
            raise NotInState(state)


def read_message(body: str) -> Message:
    """A message of our own form."""
    return msgspec.json.decode(body, type=Message)


def read_bus_event(body: str) -> Message:
    """A message from a rule of the bus: EventBridge's event, whose detail is our envelope."""
    event = msgspec.json.decode(body)
    detail = event["detail"]
    return Message(tenant=UUID(detail["tenant"]), id=detail["id"], kind=detail["type"], data=detail)
