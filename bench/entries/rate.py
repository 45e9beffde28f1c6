"""A tenant's request counted by all sandboxes together: what it costs, and how exact it is."""

import os
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from bench.contestants import WrongAnswerError
from bench.harness.cpu import metered, repeated
from bench.harness.report import Column, Goal, Result
from bench.harness.rounds import Contestant, Figures, Row, compete
from bench.world import table
from local import stack as local_stack
from local.instance import BENCH, Instance
from tenant_context.aws import AwsClient
from tenant_context.dynamo import Item, Table, tenant_key
from tenant_context.errors import TooManyRequests
from tenant_context.leases import SharedBuckets
from tenant_context.plans import PLANS, Rate
from tenant_context.rate import RateLimiter, largest_lease

_COLUMNS = (
    Column("client_us", "CPU µs", 1),
    Column("wall_us", "wall µs", 1),
    Column("updates", "updates a request", 3),
    Column("over", "let through too many", 1),
    Column("most_over", "at most, N · B"),
    Column("under", "refused too many", 1),
    Column("most_under", "at most, (N + 2) · B"),
)
_PLANS = ("free", "starter", "professional", "enterprise")
_SELDOM = PLANS["starter"].rate
"""A tenant who asks so seldom that no lease outlives the pause: each call is an update, and one is all it is."""
_SANDBOXES = (1, 10, 50)
_LOAD = 3
"""How many times its rate a tenant asks for, where exactness is measured."""


class Clock:
    """Moved by hand: a minute of traffic takes as long as its requests."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        """The moment it is."""
        return self.now

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)


class Counted(Table):
    """Counts the updates that leases take."""

    asked = 0

    def change_or_see(self, *args: Any, **how: Any) -> tuple[bool, Item]:
        """The same, counted."""
        self.asked += 1
        return super().change_or_see(*args, **how)


def run(*, quick: bool, tell: Callable[[str], None]) -> Result:
    """Measure."""
    rounds, times, seconds = (3, 1000, 10) if quick else (9, 5000, 60)
    with _table() as place:
        rows = _costs(place, rounds, times, tell)
        for sandboxes in _SANDBOXES:
            tell(f"{sandboxes} sandboxes")
            rows.append(_exactness(place, sandboxes, seconds))
    return Result("rate", __doc__ or "", rounds, _COLUMNS, rows, _goals(rows), _NOTES)


def _costs(place: Counted, rounds: int, times: int, tell: Callable[[str], None]) -> list[Row]:
    def plain() -> None:
        place.update(tenant_key(tenant, "plain"), "count", "ADD calls :one", {":one": 1})

    tenant = uuid4()
    contestants = [
        Contestant("one update a request", "ADD calls 1, unconditional", _turn(plain, times // 5)),
        *(_within(place, name, times) for name in _PLANS),
        Contestant("ours, seldom", "a call of starter's every 70 s", _turn(_taker_at(place, _SELDOM, 70), times // 5)),
        Contestant(
            "limit", "a sandbox's own bucket", _turn(_taker(RateLimiter(Clock()), PLANS["starter"].rate), times)
        ),
    ]
    facts: dict[str, Figures] = {"one update a request": {"updates": 1}, "limit": {"updates": 0}}
    for name in _PLANS:
        facts[f"ours, {name}"] = {"updates": _updates(place, PLANS[name].rate, times)}
    facts["ours, seldom"] = {"updates": _asked(place, _taker_at(place, _SELDOM, 70), 100)}
    return compete(contestants, rounds, facts, tell)


def _within(place: Counted, name: str, times: int) -> Contestant:
    """A tenant that asks half as often as it may."""
    work = _taker_at_half(place, PLANS[name].rate)
    return Contestant(f"ours, {name}", f"a lease is {largest_lease(PLANS[name].rate)} tokens", _turn(work, times))


def _taker_at_half(place: Counted, rate: Rate) -> Callable[[], None]:
    return _taker_at(place, rate, 2 / rate.per_second)


def _taker_at(place: Counted, rate: Rate, seconds: float) -> Callable[[], None]:
    clock = Clock()
    take = _taker(RateLimiter(clock, SharedBuckets(place)), Rate(rate.per_second, rate.burst, 10**9))

    def work() -> None:
        clock.forward(seconds)
        take()

    return work


def _taker(limiter: RateLimiter, rate: Rate) -> Callable[[], None]:
    tenant = uuid4()
    if limiter._shared is None:  # noqa: SLF001  white box: the clock stands still, so the bucket is made deep
        rate = Rate(rate.per_second, 10**9, None)

    def take() -> None:
        limiter.take(tenant, rate)

    return take


def _turn(work: Callable[[], object], times: int) -> Callable[[], Figures]:
    return metered(repeated(work), times, backends=tuple)


def _updates(place: Counted, rate: Rate, times: int) -> float:
    return _asked(place, _taker_at_half(place, rate), times)


def _asked(place: Counted, work: Callable[[], None], times: int) -> float:
    before = place.asked
    for _ in range(times):
        work()
    return (place.asked - before) / times


def _exactness(place: Counted, count: int, seconds: int) -> Row:
    """Three times the rate of starter, dealt to sandboxes at random; beside one bucket for everybody."""
    rate, clock, tenant = PLANS["starter"].rate, Clock(), uuid4()
    limiters = [RateLimiter(clock, SharedBuckets(place)) for _ in range(count)]
    chance, before = random.Random(count), place.asked
    ideal, over, under, requests = float(rate.burst), 0.0, 0.0, seconds * rate.per_second * _LOAD
    lowest = taken = 0.0
    for number in range(requests):
        passed = number / (rate.per_second * _LOAD)
        clock.forward(1 / (rate.per_second * _LOAD))
        ideal = min(rate.burst, ideal + 1 / _LOAD)
        if _is_let_through(chance.choice(limiters), tenant, rate):
            ideal, taken = ideal - 1, taken + 1
        else:
            under = max(under, ideal)
        # Of every span, ended now: what was let through beyond its rate, less the burst.
        beyond = taken - rate.per_second * passed
        lowest = min(lowest, beyond)
        over = max(over, beyond - lowest - rate.burst)
    largest = largest_lease(rate)
    most, least = count * largest, (count + 2) * largest
    if over > most or under > least:
        raise WrongAnswerError(f"{count} sandboxes: {over} of {most} over, {under} of {least} under")
    name = f"{count} sandbox{'es' if count > 1 else ''}"
    about = f"{_LOAD} times starter's rate for {seconds} s, by the moved clock"
    facts = {"updates": (place.asked - before) / requests, "over": over, "under": under}
    facts |= {"most_over": float(most), "most_under": float(least)}
    return Row(name, about, {}, facts)


def _is_let_through(limiter: RateLimiter, tenant: UUID, rate: Rate) -> bool:
    try:
        limiter.take(tenant, rate)
    except TooManyRequests:
        return False
    return True


@contextmanager
def _table() -> Iterator[Counted]:
    ran = any(up for *_, up in local_stack.status(Instance.of(BENCH)))
    stack = local_stack.start(BENCH, deploy=False)
    try:
        with ExitStack() as kept:
            os.environ.update(stack.aws_environment())
            name = kept.enter_context(table(stack))
            yield Counted(name, kept.enter_context(closing(AwsClient("dynamodb"))))
    finally:
        if not ran:
            local_stack.stop(BENCH)


def _goals(rows: list[Row]) -> list[Goal]:
    by_name = {row.name: row for row in rows}
    peer = by_name["one update a request"]
    goals = []
    for name in ("free", "enterprise"):
        ours = by_name[f"ours, {name}"]
        updates, wall = ours.median("updates"), ours.median("wall_us") / peer.median("wall_us")
        got = f"{updates:.3f} updates, {wall:.2f} of the time"
        goals.append(Goal(f"a request of {name} costs less than one update", got, updates < 1 and wall < 1))
    for count in _SANDBOXES:
        row = next(row for row in rows if row.name.startswith(f"{count} sandbox"))
        over, most, under, least = (row.median(name) for name in ("over", "most_over", "under", "most_under"))
        got = f"{over:.0f} of {most:.0f} too many, {under:.0f} of {least:.0f} too few"
        goals.append(Goal(f"{row.name} stay within the stated bounds", got, over <= most and under <= least))
    return goals


_NOTES = (
    "Cost: a tenant at half its rate, one sandbox; the local DynamoDB answers in about 2 ms, as AWS's does.",
    "Too many: beyond burst and rate, in the worst span. Refused too many: what one bucket for all had, at the worst.",
    "The stated bounds are N · B and (N + 2) · B: N sandboxes, B = a tenth of a second's worth, the largest lease.",
)
