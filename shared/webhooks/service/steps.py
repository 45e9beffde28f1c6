"""Attempts on their way through a batch, alone or as one of a replay, and how a step is taken of several."""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from shared.outbound.model import Outcome
from shared.webhooks.errors import DeliveryBusy
from shared.webhooks.model import Delivery, State, Target, Wait
from shared.webhooks.repository.attempts import Claim, Ending, Standing
from shared.webhooks.repository.deliveries import Held
from shared.webhooks.service.gate import Pass
from shared.webhooks.service.order import Order
from shared.webhooks.service.queue import came_by_slow
from tenant_context.aws import AwsError
from tenant_context.clock import rfc3339
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message as QueueMessage
from tenant_context.entry.queue import Record

Key = tuple[UUID, UUID, UUID, int]


@dataclass(slots=True, eq=False)
class Attempt:
    """One attempt, as far as it has come."""

    record: Record
    claim: Claim
    at: datetime
    lane: str = ""
    replay: "Replay | None" = None
    waited: Wait | None = None
    """What it was held for, where it is one of a replay."""
    pass_: Pass = field(default_factory=lambda: Pass(None))
    sent: Mapping[str, str] = field(default_factory=dict)
    """The headers of its call, as the log keeps them; none without a call."""
    hidden: Collection[str] = ()
    """The values of its endpoint's own headers, which no log keeps."""
    outcome: Outcome = field(default_factory=lambda: Outcome(None))
    end: Ending = field(default_factory=lambda: Ending(State.STOPPED))

    @property
    def tenant(self) -> TenantContext:
        """Whose it is."""
        return self.claim.tenant

    @property
    def by_slow(self) -> bool:
        """Whether it, or its replay, came by the queue of receivers known as slow."""
        return came_by_slow(self.replay.record.message) if self.replay is not None else self.delivery.by_slow

    @property
    def delivery(self) -> Delivery:
        """What it is of."""
        return self.claim.delivery


@dataclass(slots=True, eq=False)
class Replay:
    """Some of what one endpoint missed, on its way in order."""

    record: Record
    """The message that asked for a look at the backlog."""
    target: Target
    name: str
    """By which it has the endpoint's turn."""
    held: Sequence[Held]
    next_look: float
    """When the backlog is looked at again, in seconds since 1970."""
    ends: float
    """When no further call begins, as `time.monotonic` has it."""
    taken: list[Attempt] = field(default_factory=list)
    """All that could be claimed."""
    left: deque[Attempt] = field(default_factory=deque)
    """Those to be called, in order."""
    behind: list[Attempt] = field(default_factory=list)
    """Those that come after one that somebody else is at."""
    aside: list[Attempt] = field(default_factory=list)
    """Those that wait in their lanes from now on."""
    under_way: Attempt | None = None
    unwritten: list[Attempt] = field(default_factory=list)
    """Those whose calls have ended, and whose ends are not written yet."""
    is_blocked: bool = False
    is_over: bool = False

    def take(self, one: Attempt) -> None:
        """One more of it was claimed."""
        self.taken.append(one)
        (self.behind if self.is_blocked else self.left).append(one)

    def refuse(self, standing: Standing | None, look_at: float) -> None:
        """The next of it is not to be had: it has ended meanwhile, or those behind it wait for whoever is at it."""
        if standing is not None and standing.state is State.HELD:
            self.block(look_at)

    def block(self, look_at: float) -> None:
        """Those behind the next of it wait for another look."""
        self.is_blocked = True
        self.next_look = max(self.next_look, look_at)

    def write(self) -> None:
        """What its calls came to is written; one that is tried again soon is waited for."""
        for one in self.unwritten:
            if one.record.error is not None:
                self.stop()
            elif one.end.state is State.HELD and one.end.next_at is not None:
                self.stop(one.end.next_at.timestamp())
        self.unwritten = []

    def stop(self, look_at: float = 0) -> None:
        """None of those that are left is called any more."""
        self.is_over = True
        self.next_look = max(self.next_look, look_at)

    def give_up(self, look_at: float) -> None:
        """The one that is under way goes back to where it was, and so do those behind it."""
        if self.under_way is not None:
            self.behind.append(self.under_way)
        self.under_way = None
        self.stop(look_at)

    @property
    def next(self) -> Attempt | None:
        """What is to be called now: nothing while one before it is under way, or keeps its lane."""
        if self.is_over or self.under_way is not None or not self.left:
            return None
        one = self.left[0]
        return None if one.lane and any(other.lane == one.lane for other in self.unwritten) else one

    @property
    def has_ended(self) -> bool:
        """Whether nothing of it is still to be called or written."""
        return self.under_way is None and not self.unwritten and (self.is_over or not self.left)

    @property
    def coming(self) -> frozenset[str]:
        """The messages that it comes to by itself."""
        return frozenset(one.claim.message for one in self.left)


def together(
    some: Sequence[Attempt], step: Callable[[Sequence[Attempt]], Sequence[Exception | None] | None]
) -> Sequence[Attempt]:
    """Take a step of some attempts in one, and answer those of which it was taken.

    Where it fails they all go back to the queue; where it tells of each what went wrong, those of which it does.
    """
    if not some:
        return some
    try:
        errors = step(some)
    except Exception as error:  # noqa: BLE001  it is kept, and logged with each of them
        for one in some:
            one.record.failed(error)
        return []
    if errors is None:
        return some
    for one, wrong in zip(some, errors, strict=True):
        if wrong is not None:
            one.record.failed(wrong)
    return [one for one, wrong in zip(some, errors, strict=True) if wrong is None]


def each(some: Iterable[Attempt], step: Callable[[Attempt], None]) -> list[Attempt]:
    """Take a step of each attempt, and answer those of which it was taken; one that fails goes back alone."""
    taken = []
    for one in some:
        try:
            step(one)
        except Exception as error:  # noqa: BLE001  it is kept, and logged with its record
            one.record.failed(error)
        else:
            taken.append(one)
    return taken


def pass_on(order: Order, one: Attempt) -> None:
    """Its turn in a lane is over, before it says that it has ended: a run that dies between the two is repeated."""
    if one.lane and one.end.state in {State.DELIVERED, State.DEAD, State.STOPPED}:
        coming = one.replay.coming if one.replay is not None else ()
        order.pass_on(one.tenant, one.lane, one.delivery.message.id, one.delivery.endpoint, coming=coming)


def turn_away(record: Record, claim: Claim, standing: Standing | AwsError | None) -> None:
    """One that was not to be had was made before, or another copy of its message is at it, or AWS had no room."""
    attempt = claim.delivery.attempt
    if isinstance(standing, AwsError):
        record.failed(standing)
    elif standing is None or standing.state is not State.WAITING or standing.attempts >= attempt:
        record.done("repeated message dropped", **named(claim))
    else:
        record.failed(DeliveryBusy(f"attempt {attempt} at {claim.endpoint} is being made"))


def usage(one: Attempt) -> QueueMessage:
    """What the ledger is told of one that was delivered."""
    data = {"message": one.claim.message, "endpoint": one.claim.endpoint, "at": rfc3339(one.at)}
    return QueueMessage(one.tenant.tenant, one.tenant.request_id, "ledger.delivery", data)


def key(tenant: TenantContext, delivery: Delivery) -> Key:
    """What two messages that ask for the same attempt have in common."""
    return tenant.tenant, delivery.message.id, delivery.endpoint, delivery.attempt


def named(claim: Claim) -> dict[str, object]:
    """What its line of the log says it is."""
    return {
        "webhook_id": claim.message,
        "endpoint": claim.endpoint,
        "event_type": claim.delivery.message.type,
        "attempt": claim.delivery.attempt,
    }
