"""From queued deliveries to signed calls, their records, and the next attempts.

The deliveries of a batch go side by side, and what is written of them is written together: claims before their calls,
then, as calls end, the log, the count and the ends of those that ended at about the same time. A slow receiver holds up
what is written of its own delivery alone. Each step may be the last of a sandbox:

- an attempt is claimed before its call, so that a repeated message makes no second call while the first is on;
- the next attempt is queued before the delivery says that this one has ended, so that none is forgotten; a next
  attempt that is queued twice is made once, because only attempt n + 1 can be claimed after n;
- a wait that is longer than the queue can hold a message stands in the index of what is due, written together with
  the end of the attempt before, and the sweep queues it for its moment;
- what may not be sent now, for whatever reason, is held in its endpoint's backlog, and uses up no attempt;
- what an endpoint missed stays in its backlog until it has ended, and is called in order (`replays`).

A crash between call and record repeats the call: receivers drop a webhook-id they have seen.
"""

import random
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from math import ceil, inf

from shared.outbound.gateway.client import KEPT_BODY
from shared.outbound.gateway.conversation import Request
from shared.outbound.gateway.side_by_side import SideBySide
from shared.outbound.model import Outcome
from shared.webhooks.gateway.keys import SecretKeys
from shared.webhooks.model import Delivery, State, Target, Verdict, Wait
from shared.webhooks.repository.attempts import Claim, Claimed, Ending, Made
from shared.webhooks.rules import retries
from shared.webhooks.rules.log import shown_request, without
from shared.webhooks.service import envelopes
from shared.webhooks.service.aside import Aside
from shared.webhooks.service.gate import HUNG_UP, SLOW_SECONDS, Pass
from shared.webhooks.service.means import Desks, Stores
from shared.webhooks.service.queue import KIND, RELEASE, to_delivery, to_message
from shared.webhooks.service.steps import Attempt, Key, Replay, each, key, named, pass_on, together, turn_away, usage
from tenant_context.aws import AwsError
from tenant_context.clock import uuid7
from tenant_context.entry.queue import Message as QueueMessage
from tenant_context.entry.queue import Record

GATHER_SECONDS = 0.05
"""How long what came of a call waits for that of others, to be written together."""
PATIENCE = 60
"""Seconds until the next attempt of one of a replay that failed, for which those behind it wait, or as it asked."""
_BUSY_SECONDS = 5
"""Until a backlog is looked at again, of whose first delivery somebody else has a claim."""


@dataclass(frozen=True, slots=True)
class _Run:
    """One batch on its way."""

    calls: SideBySide[Attempt]
    replays: list[Replay]
    opened: dict[tuple[str, str], envelopes.Opened] = field(default_factory=dict)
    """Endpoints' keys and headers, of which each is opened once."""
    known_slow: set[Attempt] = field(default_factory=set)


class Dispatch:
    """Works on the deliveries of one batch."""

    def __init__(self, stores: Stores, desks: Desks, keys: SecretKeys) -> None:
        self._attempts = stores.attempts
        self._targets = stores.targets
        self._receivers = stores.receivers
        self._queue = stores.queue
        self._usage = stores.usage
        self._observability = stores.observability
        self._clock = stores.clock
        self._gate = desks.gate
        self._order = desks.order
        self._health = desks.health
        self._replays = desks.replays
        self._keys = keys
        self._aside = Aside(
            stores.targets, stores.attempts, desks.order, desks.backlog, stores.queue, stores.slow, clock=stores.clock
        )

    def work(self, records: Sequence[Record]) -> None:
        """See the attempts that some messages ask for, and those that backlogs hold, to their ends."""
        first: dict[Key, Record] = {}
        copies: list[tuple[Record, Record]] = []
        wanted: list[tuple[Record, Delivery]] = []
        slow: list[Record] = []
        replays: list[Replay] = []
        for record in records:
            if record.message.kind == RELEASE:
                replays += self._looked(record)
            elif (delivery := self._readable(record)) is not None:
                original = first.setdefault(key(record.tenant, delivery), record)
                if original is not record:
                    copies.append((record, original))
                elif not delivery.by_slow and self._gate.is_known_slow(delivery.endpoint, self._clock()):
                    slow.append(record)
                else:
                    wanted.append((record, delivery))
        self._aside.move(slow)
        attempts = self._judged(self._claimed(wanted, replays))
        with self._receivers.side_by_side() as calls:
            run = _Run(calls, replays)
            calls.then = lambda one, outcome: self._went(run, one, outcome)
            self._begin(run, attempts)
            self._aside.see_off([one for one in attempts if not (one.sent or one.record.has_ended)])
            self._follow(run)
        for copy, original in copies:
            if original.error is not None:
                copy.failed(original.error)
            else:
                copy.done("repeated message dropped")

    # Before the calls.

    def _looked(self, record: Record) -> list[Replay]:
        """What is replayed of a backlog here and now."""
        try:
            replay = self._replays.look(record)
        except Exception as error:  # noqa: BLE001  it is this message's own
            record.failed(error)
            return []
        return [replay] if replay is not None else []

    def _readable(self, record: Record) -> Delivery | None:
        """The delivery that a message asks for, unless it came before its time, and was sent back."""
        try:
            delivery = to_delivery(record.message)
            left = delivery.due - self._clock().timestamp() if delivery.due else 0
            if left > 1:
                seconds = min(ceil(left), retries.LONGEST_DELAY)
                self._queue.send([to_message(record.tenant, delivery)], delay_seconds=seconds)
                record.done("webhook waits on")
                return None
        except Exception as error:  # noqa: BLE001  it is this message's own
            record.failed(error)
            return None
        return delivery

    def _claimed(self, wanted: Sequence[tuple[Record, Delivery]], replays: Sequence[Replay]) -> list[Attempt]:
        """Claim attempts; those of a replay are its own. Those that were made before, or are being made, end here."""
        now, had = self._clock(), []
        asked: list[tuple[Record, Claim, Replay | None, Wait | None]] = [
            (record, Claim(record.tenant, delivery, str(uuid7())), None, None) for record, delivery in wanted
        ]
        for replay in replays:
            tenant = replay.record.tenant
            for held in replay.held:
                claim = Claim(tenant, held.delivery, str(uuid7()), in_place=True)
                about = QueueMessage(tenant.tenant, tenant.request_id, KIND, {})
                asked.append((replay.record.part(about), claim, replay, held.wait))
        answers = self._attempts.claim([claim for _, claim, _, _ in asked], now)
        for (record, claim, of, wait), answer in zip(asked, answers, strict=True):
            if isinstance(answer, Claimed):
                if claim.delivery.due:
                    self._observability.seconds("AttemptLateness", max(0.0, now.timestamp() - claim.delivery.due))
                if answer.first != claim.delivery.first:
                    claim.delivery = replace(claim.delivery, first=answer.first)
                one = Attempt(record, claim, now, answer.lane, of, wait)
                had.append(one) if of is None else of.take(one)
            elif of is None:
                turn_away(record, claim, answer)
            elif isinstance(answer, AwsError):
                of.block(now.timestamp() + _BUSY_SECONDS)
            else:
                of.refuse(answer, now.timestamp() + _BUSY_SECONDS)
        return had

    def _judged(self, claimed: Sequence[Attempt]) -> list[Attempt]:
        """Have attempts judged by what is known of their endpoints."""
        targets = self._targets.find_many((one.tenant, one.delivery.endpoint) for one in claimed)

        def judge(one: Attempt) -> None:
            target = targets.get((one.tenant.tenant, one.delivery.endpoint))
            if isinstance(target, Exception):
                raise target
            one.pass_ = self._asked(one, target)

        return each(claimed, judge)

    def _asked(self, one: Attempt, target: Target | None) -> Pass:
        tenant, claim = one.tenant, one.claim.name
        return self._gate.judge(tenant, target, one.delivery, claim, one.lane, one.at, by_slow=one.by_slow)

    def _begin(self, run: _Run, attempts: Iterable[Attempt]) -> None:
        """Begin the calls of those that passed."""
        each([one for one in attempts if one.pass_.may_go], lambda one: self._call(run, one, one.pass_.target))

    def _call(self, run: _Run, one: Attempt, target: Target | None) -> None:
        if target is None:
            return
        name, body = (one.claim.owner, one.claim.endpoint), one.delivery.message.payload.encode()
        if name not in run.opened:
            run.opened[name] = envelopes.opened(self._keys, one.tenant, target, one.at)
        headers = envelopes.headers(run.opened[name], one.claim.message, one.at, body)
        one.sent, one.hidden = shown_request(headers, target.headers), run.opened[name][0].values()
        seconds = float(target.manner.timeout_seconds)
        run.calls.begin(one, Request("POST", target.url, headers, body, seconds, KEPT_BODY))

    # One after the other.

    def _went(self, run: _Run, one: Attempt, outcome: Outcome | Exception) -> None:
        """The call of one has ended just now: the next of its replay begins, where that was well."""
        if (replay := one.replay) is None:
            return
        replay.under_way = None
        replay.unwritten.append(one)
        if one.pass_.places and each([one], self._leave):  # the next one wants them
            one.pass_ = replace(one.pass_, places=())
        if isinstance(outcome, Exception) or retries.verdict(outcome.status) is not Verdict.DELIVERED:
            replay.stop()
        self._go_on(run, replay)

    def _go_on(self, run: _Run, replay: Replay) -> None:
        while (one := replay.next) is not None:
            if time.monotonic() >= replay.ends:
                replay.stop()
            else:
                try:
                    self._call_next(run, replay, one)
                except Exception as error:  # noqa: BLE001  it is this replay's own
                    replay.under_way = None
                    replay.record.failed(error)
                    replay.stop()

    def _call_next(self, run: _Run, replay: Replay, one: Attempt) -> None:
        one.at = self._clock()
        target = self._targets.find(one.tenant, replay.target.id)
        if target is None or target.version != replay.target.version:
            replay.stop()  # it was changed: the next look goes by what it is now
            return
        one.pass_ = self._asked(one, replay.target)
        if one.pass_.may_go:
            replay.under_way = replay.left.popleft()
            self._call(run, one, replay.target)
        elif one.pass_.wait is Wait.ORDER:
            replay.aside.append(replay.left.popleft())
        else:
            replay.stop(one.pass_.until)

    def _tend(self, run: _Run) -> None:
        """Have replays go on that waited for words, and end those that came to their ends."""
        for replay in list(run.replays):
            self._go_on(run, replay)
            if replay.has_ended:
                run.replays.remove(replay)
                try:
                    self._finish(replay)
                except Exception as error:  # noqa: BLE001  it is this replay's own
                    replay.record.failed(error)

    def _finish(self, replay: Replay) -> None:
        """Leave what was not called where it is, and the rest of the backlog to whoever looks next."""
        self._aside.put_back([*replay.left, *replay.behind])
        self._aside.see_off(replay.aside)
        self._replays.finish(replay)

    # After the calls.

    def _follow(self, run: _Run) -> None:
        """Write down what calls come to as they end; endpoints that let one wait are known as slow while they do."""
        calls = run.calls
        while True:
            self._tend(run)
            lasted = max((calls.lasted(one) for one in calls.under_way if one not in run.known_slow), default=-inf)
            ended = calls.wait(seconds=max(0.0, SLOW_SECONDS - lasted), gather=GATHER_SECONDS)
            if not ended and not calls.under_way:
                return
            self._conclude(ended)
            for replay in run.replays:
                replay.write()
            self._bound(run)

    def _bound(self, run: _Run) -> None:
        """Hang up on those that have lasted, of tenants that hold too many of such calls already."""
        calls, known = run.calls, run.known_slow
        slow = [one for one in calls.under_way if calls.lasted(one) >= SLOW_SECONDS and one not in known]
        known.update(slow)
        for one in slow:
            passed = self._gate.lasts(one.tenant, one.pass_, one.claim.name, self._clock(), by_slow=one.by_slow)
            if passed.may_go:
                one.pass_ = passed
            else:
                self._hang_up(run, one, passed)

    def _hang_up(self, run: _Run, one: Attempt, passed: Pass) -> None:
        """A call is given up for now, which uses up no attempt: it is logged, until the next one is in its place."""
        run.calls.hang_up(one)
        one.outcome = Outcome(None, HUNG_UP)
        is_logged = together(each([one], self._leave), self._log)
        one.pass_ = replace(passed, places=())
        if one.replay is not None:
            one.replay.give_up(self._clock().timestamp() + _BUSY_SECONDS)
        elif is_logged:
            self._aside.see_off([one])

    def _conclude(self, ended: Sequence[tuple[Attempt, Outcome | Exception]]) -> None:
        """From the ends of calls to those of their attempts."""
        for one, outcome in ended:
            if isinstance(outcome, Exception):
                one.record.failed(outcome)
            else:
                one.outcome = outcome
        made = each([one for one, _ in ended if one.record.error is None], self._leave)
        made = each(together(made, self._log), self._judge)
        delivered = together([one for one in made if one.end.state is State.DELIVERED], self._count)
        made = each(
            [one for one in made if one.end.state is not State.DELIVERED or one in delivered],
            lambda one: pass_on(self._order, one),
        )
        counts: Counter[str] = Counter()
        for one in together(made, self._end):
            end, outcome = one.end, one.outcome
            counts[f"Webhooks{end.state.title()}" if end.next_at is None else "WebhooksRetried"] += 1
            one.record.done(
                "webhook attempted",
                **named(one.claim),
                state=end.state,
                status=outcome.status,
                error=outcome.error,
                milliseconds=outcome.timing.get("total"),
            )
        for name, count in counts.items():
            self._observability.count(name, count)

    def _leave(self, one: Attempt) -> None:
        self._gate.leave(one.tenant, one.pass_, one.claim.name)

    def _log(self, made: Sequence[Attempt]) -> Sequence[Exception | None]:
        urls = [one.pass_.target.url if one.pass_.target else "" for one in made]
        return self._attempts.record(
            [
                Made(one.claim, url, one.at, one.sent, without(one.outcome, one.hidden))
                for one, url in zip(made, urls, strict=True)
            ]
        )

    def _judge(self, one: Attempt) -> None:
        """What the outcome means for the delivery and its endpoint; the next attempt is planned."""
        tenant, target, outcome = one.tenant, one.pass_.target, one.outcome
        if target is None:
            return
        match retries.verdict(outcome.status):
            case Verdict.DELIVERED:
                self._health.delivered(tenant, target)
                one.end = Ending(State.DELIVERED)
            case Verdict.GONE:
                self._health.gone(tenant, target, outcome)
                one.end = Ending(State.HELD, held_for=Wait.ENDPOINT)
            case Verdict.FAILED:
                self._health.failed(tenant, target, outcome, one.pass_.probe)
                one.end = self._again(one, target, outcome)

    def _count(self, delivered: Sequence[Attempt]) -> None:
        """Tell the ledger, before deliveries say that they have ended: so none is forgotten, and each counts once."""
        self._usage.send([usage(one) for one in delivered])

    def _end(self, ended: Sequence[Attempt]) -> Sequence[Exception | None]:
        return self._attempts.end([(one.claim, one.end) for one in ended], now=self._clock())

    def _again(self, one: Attempt, target: Target, outcome: Outcome) -> Ending:
        """Plan the next attempt, by the queue where that can hold it so long; dead when this was the last."""
        now, delivery = self._clock(), one.delivery
        asked = retries.retry_after_seconds(outcome.retry_after, now)
        seconds = retries.wait(
            delivery.attempt - delivery.first,
            target.manner.retry_schedule,
            luck=random.uniform(-1, 1),  # noqa: S311  jitter, not a secret
            retry_after=asked,
        )
        if seconds is None:
            return Ending(State.DEAD)
        due = now + timedelta(seconds=seconds)
        if seconds > retries.LONGEST_DELAY:
            return Ending(State.WAITING, due, is_parked=True)
        if one.replay is not None and seconds <= max(PATIENCE, retries.throttle(outcome.status, asked)):
            return Ending(State.HELD, due, held_for=Wait.REPLAY)
        following = replace(delivery, attempt=delivery.attempt + 1, due=0, by_slow=False)
        self._queue.send([to_message(one.tenant, following)], delay_seconds=seconds)
        return Ending(State.WAITING, due)
