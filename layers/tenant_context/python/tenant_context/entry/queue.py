"""The queue door: each record is one message of one tenant, handled in its own transaction.

A message is `{"tenant": …, "id": …, "kind": …, "data": …}` in an SQS body; `id` is the request it came from, so that
a line in the logs of a worker leads back to it. A record that fails goes back alone (partial batch response); after
five times it is in the dead-letter queue. One that can never succeed is logged and let go to the dead-letter queue
at the same pace: a queue of ours holds only what our own functions wrote.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, Self
from uuid import UUID

import msgspec

from tenant_context.aws import AwsError
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
"""Works on some messages of one tenant as one, or raises: what it did before that is known when they come again."""
PutOff = Callable[[Sequence[Message]], Collection[int]]
"""Sends back what is to wait; answers which of the messages that was."""
MOST_TOGETHER = 50
_BYTES_TOGETHER = 1_000_000
"""Of messages that share a transaction: enough for its plan to cost little, and little enough for any sandbox."""


class _Named(NamedTuple):
    """A message that may share a transaction, and the record it came as."""

    record: str
    tenant: TenantContext
    message: Message


class QueueEntry:
    """`handler(event, context)` of a function that a queue triggers.

    `operation` is the name of its log lines and metrics where that is one for all kinds of messages, each of which has
    its `kind` then: an alarm watches one name. Else it is the kind.

    `ahead` is given every message of a batch before the first is worked on: the place to start slow calls that then
    run side by side. It says nothing about success; a message's own turn does. `need` is what the work wants of its
    tenant: a message for one whose state does not permit it, or that is gone, is let go. PostgreSQL judges it where a
    transaction begins; a function without it asks `state_of`. `needs` names kinds of messages that want something else.

    `together` is given messages of a tenant that come for the first time, of a bounded size in all. When that fails,
    each has its own turn as ever: so whichever of them is to blame fails alone.

    `put_off` is given a batch's messages before anything else and sends back to the queue what is to wait, of which it
    answers the numbers; when that fails nothing waits.
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
        put_off: PutOff | None = None,
        operation: str = "",
    ) -> None:
        self._work = work
        self._operation = operation
        self._observability = observability
        self._read = read or read_message
        self._ahead = ahead
        self._usual = permitting(need) if need else ()
        self._states = {kind: permitting(other) for kind, other in (needs or {}).items()}
        self._state_of = state_of
        self._together = together
        self._put_off = put_off

    def __call__(self, event: Mapping[str, Any], _context: Any) -> dict[str, Any]:
        """Handle a batch; answers which records failed."""
        records = self._now(event["Records"], self._put_off) if self._put_off else event["Records"]
        self._look_ahead(records)
        done = self._groups(records, self._together) if self._together else set()
        left = [record for record in records if record["messageId"] not in done]
        return _failures(record["messageId"] for record in left if not self._handle(record))

    def _now(self, records: Sequence[Mapping[str, Any]], put_off: PutOff) -> Sequence[Mapping[str, Any]]:
        """Those records that are not put off."""
        readable: list[tuple[str, Message]] = []
        for record in records:
            # What cannot be read fails in its own turn, where it is logged.
            with suppress(msgspec.MsgspecError, KeyError, ValueError):
                readable.append((record["messageId"], self._read(record["body"])))
        try:
            away = {readable[number][0] for number in put_off([message for _, message in readable])}
        except AwsError as error:
            self._observability.warning("nothing was put off", reason=str(error))
            return records
        if away:
            self._observability.info("put off", records=len(away))
        return [record for record in records if record["messageId"] not in away]

    def _look_ahead(self, records: Sequence[Mapping[str, Any]]) -> None:
        if self._ahead is None:
            return
        for record in records:
            # What cannot be read or judged fails in its own turn, where it is logged.
            with suppress(msgspec.MsgspecError, KeyError, ValueError, RmapError):
                message = self._read(record["body"])
                self._judge(message)
                self._ahead(from_message(message.tenant, message.id), message)

    def _groups(self, records: Sequence[Mapping[str, Any]], together: Together) -> set[str]:
        """Work on what can be worked on together; the ids of the records that were."""
        tenants: dict[UUID, list[_Named]] = {}
        sizes: dict[str, int] = {}
        for record in records:
            if record.get("attributes", {}).get("ApproximateReceiveCount", "1") != "1":
                continue
            # What cannot be read fails in its own turn, where it is logged.
            with suppress(msgspec.MsgspecError, KeyError, ValueError):
                message = self._read(record["body"])
                tenant = from_message(message.tenant, message.id, self._permitting(message))
                tenants.setdefault(message.tenant, []).append(_Named(record["messageId"], tenant, message))
                sizes[record["messageId"]] = len(record["body"])
        done: set[str] = set()
        for waiting in tenants.values():
            for group in _bounded(waiting, sizes):
                if len(group) > 1 and self._all_of(group, together):
                    done |= {record for record, _, _ in group}
        return done

    def _all_of(self, group: Sequence[_Named], together: Together) -> bool:
        """Whether a group was worked on as one."""
        record, tenant, message = group[0]
        with self._observability.invocation(record, "queue") as invocation:
            self._name(invocation, message)
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
        self._name(invocation, message)
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

    def _name(self, invocation: Invocation, message: Message) -> None:
        invocation.operation = self._operation or message.kind
        if self._operation:
            invocation.keys["kind"] = message.kind

    def _do(self, tenant: TenantContext, message: Message) -> None:
        self._judge(message)
        self._work(tenant, message)

    def _permitting(self, message: Message) -> tuple[str, ...]:
        return self._states.get(message.kind, self._usual)

    def _judge(self, message: Message) -> None:
        """Raise `NotInState` where it is known without PostgreSQL that the tenant's state does not permit the work."""
        if self._state_of is not None and (state := self._state_of(message.tenant)) not in self._permitting(message):
            raise NotInState(state)


class Record:
    """One message among those that are worked on together, and what became of it."""

    def __init__(
        self, name: str, receives: str | None, tenant: TenantContext, message: Message, *, of: Self | None = None
    ) -> None:
        self.name = name
        self.tenant = tenant
        self.message = message
        self.error: Exception | None = None
        self._began = time.perf_counter()
        self._receives = receives
        self._of = of
        self._parts: list[Self] = []
        self._told: tuple[str, Mapping[str, Any]] | None = None

    @property
    def has_ended(self) -> bool:
        """Whether it was said what became of it."""
        return self.error is not None or self._told is not None

    def done(self, phrase: str, **keys: Any) -> None:
        """It is done, for which its line gives a phrase and keys."""
        self._told = phrase, keys

    def failed(self, error: Exception) -> None:
        """It goes back to the queue; for one of several things that a message asked for, that does."""
        self.error = error
        if self._of is not None and self._of.error is None:
            self._of.failed(error)

    def part(self, message: Message) -> Self:
        """One of several things that it asked for, which has a line of its own where it ends."""
        part = type(self)(self.name, self._receives, self.tenant, message, of=self)
        self._parts.append(part)
        return part

    def tell(self, observability: Observability) -> None:
        """Its line, or its error's, and those of its parts."""
        for part in self._parts:
            if part.has_ended:
                part.tell(observability)
        duration = round((time.perf_counter() - self._began) * 1000, 3)
        said = {"duration": duration, "receives": self._receives, "success": self.error is None}
        phrase, keys = self._told or ("record failed", {})
        if self.error is not None:
            about = {"record": self.name, "tenantId": str(self.tenant.tenant)}
            observability.failure("record failed", self.error, **about)
            phrase, keys = "record failed", {}
        observability.of_record(self.name, self.message.kind, self.tenant, phrase, **keys, **said)


class BatchEntry(QueueEntry):
    """The door of a function that works on the messages of a batch together, but for those of some kinds.

    `together` is given their records and says of each what became of it; those that it says nothing of have failed.
    The others go to `work`, one after the other, afterwards: what those have `ahead` begins before.

    `jointly` is the operation of what is worked on together, whichever kind of message comes first: an alarm on its
    metrics watches one name. Each record's own line has its kind.
    """

    def __init__(
        self,
        together: Callable[[Sequence[Record]], None],
        work: Work,
        *,
        jointly: str,
        apart: Collection[str],
        **more: Any,
    ) -> None:
        super().__init__(work, **more)
        self._batch = together
        self._jointly = jointly
        self._apart = apart

    def __call__(self, event: Mapping[str, Any], _context: Any) -> dict[str, Any]:
        """Handle a batch; answers which records failed."""
        joint: list[Record] = []
        others: list[Mapping[str, Any]] = []
        for raw in event["Records"]:
            message = self._readable(raw)
            if message is None or message.kind in self._apart:
                others.append(raw)
            else:
                tenant = from_message(message.tenant, message.id, self._permitting(message))
                receives = raw.get("attributes", {}).get("ApproximateReceiveCount")
                joint.append(Record(raw["messageId"], receives, tenant, message))
        self._look_ahead(others)
        failed = self._handle_together(joint) if joint else set()
        failed |= {raw["messageId"] for raw in others if not self._handle(raw)}
        return _failures(raw["messageId"] for raw in event["Records"] if raw["messageId"] in failed)

    def _readable(self, raw: Mapping[str, Any]) -> Message | None:
        try:
            return self._read(raw["body"])
        except (msgspec.MsgspecError, KeyError, ValueError):
            return None

    def _handle_together(self, records: Sequence[Record]) -> set[str]:
        with self._observability.invocation(records[0].name, self._jointly) as invocation:
            for record in records:
                self._admit(record)
            try:
                self._batch([record for record in records if not record.has_ended])
            except Exception as error:  # noqa: BLE001  each record that it did not come to goes back
                for record in records:
                    if not record.has_ended:
                        record.failed(error)
            for record in records:
                if not record.has_ended:
                    record.failed(RuntimeError("nobody said what became of it"))
                record.tell(self._observability)
            failed = {record.name for record in records if record.error is not None}
            invocation.success, invocation.failures = not failed, len(failed)
            invocation.keys["records"] = len(records)
        return failed

    def _admit(self, record: Record) -> None:
        try:
            try:
                self._judge(record.message)
            except Unavailable as error:
                self._observability.warning("once more", reason=error.detail)
                self._judge(record.message)
        except NotInState as error:
            # Nobody will want it done later either: the message is let go.
            record.done("let go", reason=error.detail)
        except RmapError as error:
            record.failed(error)


def _bounded(waiting: Sequence[_Named], sizes: Mapping[str, int]) -> Iterator[list[_Named]]:
    """Groups of neither too many nor too large messages."""
    group: list[_Named] = []
    size = 0
    for one in waiting:
        size += sizes[one.record]
        if group and (len(group) == MOST_TOGETHER or size > _BYTES_TOGETHER):
            yield group
            group, size = [], sizes[one.record]
        group.append(one)
    if group:
        yield group


def _failures(names: Iterable[str]) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": name} for name in names]}


def read_message(body: str) -> Message:
    """A message of our own form."""
    return msgspec.json.decode(body, type=Message)


def read_bus_event(body: str) -> Message:
    """A message from a rule of the bus: EventBridge's event, whose detail is our envelope."""
    event = msgspec.json.decode(body)
    detail = event["detail"]
    return Message(tenant=UUID(detail["tenant"]), id=detail["id"], kind=detail["type"], data=detail)
