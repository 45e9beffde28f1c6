"""What was claimed and may not be called: it ends, waits in its endpoint's backlog, or in its lane."""

from collections.abc import Sequence

from shared.webhooks.model import State, Wait
from shared.webhooks.repository.attempts import AttemptRepository, Ending
from shared.webhooks.repository.targets import TargetRepository
from shared.webhooks.service.backlog import Backlog
from shared.webhooks.service.gate import Pass
from shared.webhooks.service.order import Order
from shared.webhooks.service.queue import by_slow, to_message
from shared.webhooks.service.steps import Attempt, each, named, pass_on, together
from tenant_context.clock import Clock
from tenant_context.entry.queue import Record
from tenant_context.queues import Queue


class Aside:
    """Ends attempts without a call, which uses none up."""

    def __init__(
        self,
        targets: TargetRepository,
        attempts: AttemptRepository,
        order: Order,
        backlog: Backlog,
        queue: Queue,
        slow: Queue,
        *,
        clock: Clock,
    ) -> None:
        self._targets = targets
        self._attempts = attempts
        self._order = order
        self._backlog = backlog
        self._queue = queue
        self._slow = slow
        self._clock = clock

    def see_off(self, attempts: Sequence[Attempt]) -> None:
        """End the attempts of what may not be sent, for ever, for now, or here: those have been claimed for nothing."""
        for one in attempts:
            one.end = Ending(_stands(one.pass_), held_for=one.pass_.wait, attempted=False)
        stopped = each([one for one in attempts if one.pass_.target is None], lambda one: pass_on(self._order, one))
        for one in together([*stopped, *(one for one in attempts if one.pass_.target)], self._end):
            if one.end.state is State.STOPPED:
                one.record.done("webhook stopped", **named(one.claim))
            elif one.end.state is State.WAITING:
                if each([one], lambda one: self._slow.send([by_slow(to_message(one.tenant, one.delivery))])):
                    one.record.done("webhook of a slow endpoint", **named(one.claim))
            elif each([one], self._see_to):
                one.record.done("webhook held", **named(one.claim), waits_for=one.pass_.wait)

    def move(self, some: Sequence[Record]) -> None:
        """Queue what has not been claimed yet for the sandboxes of slow receivers; it goes there once or comes back."""
        if not some:
            return
        try:
            self._slow.send([by_slow(record.message) for record in some])
        except Exception as error:  # noqa: BLE001  it is kept, and logged with each of them
            for record in some:
                record.failed(error)
            return
        for record in some:
            record.done("webhook of a slow endpoint")

    def put_back(self, attempts: Sequence[Attempt]) -> None:
        """Leave in their backlog what a replay did not come to: whoever it was claimed for looks there again."""
        for one in attempts:
            one.end = Ending(State.HELD, held_for=one.waited, attempted=False)
        together(attempts, self._end)

    def _end(self, ended: Sequence[Attempt]) -> Sequence[Exception | None]:
        return self._attempts.end([(one.claim, one.end) for one in ended], now=self._clock())

    def _see_to(self, one: Attempt) -> None:
        """See that somebody looks at the backlog into which a delivery was put."""
        tenant, delivery, wait = one.tenant, one.delivery, one.pass_.wait
        soon = self._clock().timestamp() + 1  # the index follows its table after a moment
        if wait in {Wait.ENDPOINT, Wait.VERIFICATION}:
            # Whatever changes that wakes the endpoint; it may have happened between the two looks.
            target = self._targets.find(tenant, delivery.endpoint)
            if target is None or target.may_be_sent:
                self._backlog.wake(tenant, delivery.endpoint, soon)
        elif wait is Wait.ORDER:
            # Whoever is before it queues it afterwards; it may have done so between the two looks.
            if self._order.has_turn(tenant, one.pass_.lane, delivery, count=False):
                self._queue.send([to_message(tenant, delivery)], delay_seconds=1)
        else:
            self._backlog.wake(tenant, delivery.endpoint, max(soon, one.pass_.until))


def _stands(passed: Pass) -> State:
    if passed.target is None:
        return State.STOPPED
    return State.WAITING if passed.is_slow and passed.wait is None else State.HELD
