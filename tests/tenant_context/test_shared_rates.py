"""Tokens leased from DynamoDB by many sandboxes: how many are let through, how many refused, what it costs.

`B` is the largest lease, a tenth of a second's worth. The clock is moved by hand; the table is real.
"""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local.stack import Stack
from tenant_context import rate as rates
from tenant_context.aws import AwsClient
from tenant_context.clock import utc_now
from tenant_context.dynamo import Table
from tenant_context.errors import TooManyRequests
from tenant_context.leases import SharedBuckets
from tenant_context.plans import PLANS, Rate
from tenant_context.rate import HOLD_SECONDS, RateLimiter, largest_lease
from tenant_context.refusals import DailyQuotaExceeded, RateLimited
from tests.clocks import Moment
from tests.dynamo import Watched

MORNING = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
STARTER = PLANS["starter"].rate
B = largest_lease(STARTER)


@pytest.fixture
def clock() -> Moment:
    return Moment(MORNING)


@pytest.fixture
def acme() -> UUID:
    return uuid4()


def sandboxes(table: Table, clock: Moment, count: int) -> list[RateLimiter]:
    return [RateLimiter(clock, SharedBuckets(table)) for _ in range(count)]


def is_let_through(limiter: RateLimiter, tenant: UUID, rate: Rate = STARTER) -> bool:
    try:
        limiter.take(tenant, rate)
    except TooManyRequests:
        return False
    return True


def let_through(limiters: list[RateLimiter], tenant: UUID, requests: int, rate: Rate = STARTER) -> int:
    """How many of so many requests, dealt to the sandboxes in turn."""
    return sum(is_let_through(limiters[number % len(limiters)], tenant, rate) for number in range(requests))


def calls_today(table: Table, tenant: UUID, day: str = "20260302") -> int:
    item = table.get(f"tenant#{tenant}#rate", "bucket") or {}
    return int(item.get(f"calls_{day}", 0))


def test_ten_sandboxes_have_one_burst_together(table: Watched, clock: Moment, acme: UUID) -> None:
    assert let_through(sandboxes(table, clock, 10), acme, 1000) == STARTER.burst


def test_one_tenant_takes_nothing_of_anothers(table: Watched, clock: Moment, acme: UUID) -> None:
    (sandbox,) = sandboxes(table, clock, 1)
    let_through([sandbox], acme, 1000)
    assert let_through([sandbox], uuid4(), STARTER.burst) == STARTER.burst


def test_the_rate_goes_on_after_the_burst(table: Watched, clock: Moment, acme: UUID) -> None:
    limiters = sandboxes(table, clock, 4)
    let_through(limiters, acme, 1000)
    taken = 0
    for _ in range(200):
        clock.forward(0.05)
        taken += let_through(limiters, acme, 20)
    assert STARTER.per_second * 10 - 6 * B <= taken <= STARTER.per_second * 10


@pytest.mark.parametrize("plan", PLANS.values(), ids=lambda plan: plan.name)
def test_a_tenant_within_its_rate_costs_one_update_for_a_tenth_of_a_second(
    table: Watched, clock: Moment, acme: UUID, plan: Any
) -> None:
    (sandbox,) = sandboxes(table, clock, 1)
    for _ in range(500):
        clock.forward(2 / plan.rate.per_second)
        assert is_let_through(sandbox, acme, plan.rate)
    assert table.asked == 500 / largest_lease(plan.rate)


def test_who_is_refused_asks_ten_times_a_second_at_most(table: Watched, clock: Moment, acme: UUID) -> None:
    (sandbox,) = sandboxes(table, clock, 1)
    let_through([sandbox], acme, 1000)
    others = sandboxes(table, clock, 1)
    before = table.asked
    for _ in range(1000):
        clock.forward(0.001)
        is_let_through(sandbox, acme)
        is_let_through(others[0], acme)
    assert table.asked - before <= 2 * 2 * 10 * 2, "a try and a second one for what there is, of two sandboxes"


def test_a_refusal_says_which_limit_and_when_to_ask_again(table: Watched, clock: Moment, acme: UUID) -> None:
    (sandbox,) = sandboxes(table, clock, 1)
    let_through([sandbox], acme, 1000)
    with pytest.raises(RateLimited) as caught:
        sandbox.take(acme, STARTER)
    assert caught.value.code == "rate-limited"
    assert caught.value.headers == {
        "retry-after": "1",
        "ratelimit": f'"tenant";r=0;t=2, "day";r={100_000 - 200};t={15 * 3600}',
        "ratelimit-policy": '"tenant";q=200;w=2, "day";q=100000;w=86400',
    }
    told = caught.value.members
    assert (told["limit"], told["value"], told["usage"]) == ("burst", 200, 200)
    clock.forward(1)
    assert is_let_through(sandbox, acme)


def test_a_refusal_says_how_much_is_spent_and_not_how_much_could_be(table: Watched, clock: Moment, acme: UUID) -> None:
    """Who is refused does not ask again at once, and tokens come back meanwhile."""
    (sandbox,) = sandboxes(table, clock, 1)
    let_through([sandbox], acme, 1000)
    clock.forward(0.05)
    with pytest.raises(RateLimited) as caught:
        sandbox.take(acme, STARTER)
    assert caught.value.members["usage"] == 200 - 5


def test_an_answer_says_what_is_left(table: Watched, clock: Moment, acme: UUID) -> None:
    (sandbox,) = sandboxes(table, clock, 1)
    assert sandbox.take(acme, STARTER) == f'"tenant";r=199;t=1, "day";r=99999;t={15 * 3600}'
    assert sandbox.take(uuid4(), PLANS["enterprise"].rate) == '"tenant";r=999;t=1'


# The day


def test_of_a_day_no_more_calls_than_the_plan_has_by_many_sandboxes(table: Watched, clock: Moment, acme: UUID) -> None:
    rate = Rate(100, 200, 300)
    limiters = sandboxes(table, clock, 7)
    taken = 0
    for _ in range(100):
        clock.forward(1)
        taken += let_through(limiters, acme, 21, rate)
    assert taken == 300


def test_the_refusal_says_when_the_next_day_begins(table: Watched, clock: Moment, acme: UUID) -> None:
    rate = Rate(100, 200, 3)
    (sandbox,) = sandboxes(table, clock, 1)
    let_through([sandbox], acme, 3, rate)
    with pytest.raises(DailyQuotaExceeded) as caught:
        sandbox.take(acme, rate)
    assert caught.value.code == "daily-quota-exceeded"
    assert caught.value.headers["retry-after"] == str(15 * 3600)
    assert "3 calls a day" in caught.value.detail
    assert "2026-03-03T00:00:00Z" in caught.value.detail
    assert '"day";r=0' in caught.value.headers["ratelimit"]


def test_the_count_begins_anew_at_midnight_utc(table: Watched, acme: UUID) -> None:
    rate = Rate(100, 200, 3)
    clock = Moment(datetime(2026, 3, 2, 23, 59, 59, tzinfo=UTC))
    limiters = sandboxes(table, clock, 2)
    assert let_through(limiters, acme, 10, rate) == 3
    clock.forward(1)
    assert let_through(limiters, acme, 10, rate) == 3
    item = table.get(f"tenant#{acme}#rate", "bucket")
    assert item is not None
    assert {"calls_20260302", "calls_20260303"} & item.keys() == {"calls_20260303"}, "yesterday is forgotten"


def test_tokens_of_yesterday_are_not_spent_today(table: Watched, acme: UUID) -> None:
    clock = Moment(datetime(2026, 3, 2, 23, 59, 59, tzinfo=UTC))
    (sandbox,) = sandboxes(table, clock, 1)
    assert is_let_through(sandbox, acme)
    clock.forward(1)
    assert is_let_through(sandbox, acme)
    assert calls_today(table, acme, "20260303") == B


def test_what_was_leased_and_not_spent_is_given_back_to_the_day(table: Watched, clock: Moment, acme: UUID) -> None:
    """A call now and then must not count as a lease each."""
    (sandbox,) = sandboxes(table, clock, 1)
    for _ in range(50):
        assert is_let_through(sandbox, acme)
        clock.forward(HOLD_SECONDS + 1)
    assert 50 <= calls_today(table, acme) < 50 + B


def test_a_larger_plan_opens_at_once(table: Watched, clock: Moment, acme: UUID) -> None:
    (sandbox,) = sandboxes(table, clock, 1)
    small = Rate(100, 200, 3)
    assert let_through([sandbox], acme, 10, small) == 3
    assert is_let_through(sandbox, acme, STARTER)


def test_a_plan_without_calls_lets_none_through(table: Watched, clock: Moment, acme: UUID) -> None:
    with pytest.raises(DailyQuotaExceeded):
        sandboxes(table, clock, 1)[0].take(acme, Rate(100, 200, 0))


# When DynamoDB does not answer


def test_without_dynamodb_a_sandbox_keeps_the_rate_by_itself_and_says_so(
    table: Watched, clock: Moment, acme: UUID
) -> None:
    said: list[tuple[str, str]] = []
    sandbox = RateLimiter(clock, SharedBuckets(table), lambda phrase, code: said.append((phrase, code)))
    table.failing = True
    assert let_through([sandbox], acme, 1000) == STARTER.burst
    assert said == [("rate limits are each sandbox's own for now", "ConnectionError")]
    assert table.asked == 1, "and DynamoDB is left alone for five seconds"
    clock.forward(5)
    table.failing = False
    assert is_let_through(sandbox, acme)
    assert calls_today(table, acme) == B


@pytest.mark.usefixtures("servers")
def test_a_table_that_is_not_there_refuses_nobody(clock: Moment, acme: UUID) -> None:
    with closing(AwsClient("dynamodb")) as wire:
        assert is_let_through(RateLimiter(clock, SharedBuckets(Table("no-such-table", wire))), acme)


def test_an_endpoint_that_is_gone_refuses_nobody(clock: Moment, acme: UUID) -> None:
    with closing(AwsClient("dynamodb", endpoint="http://127.0.0.1:9", timeout=0.5)) as wire:
        limiter = RateLimiter(clock, SharedBuckets(Table("any", wire)))
        assert let_through([limiter], acme, 1000) == STARTER.burst


# Bounds


def test_what_is_kept_is_bounded_and_forgets_who_was_away_longest(
    table: Watched, clock: Moment, acme: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rates, "_KEPT", 5)
    (sandbox,) = sandboxes(table, clock, 1)
    for _ in range(12):
        sandbox.take(acme, STARTER)
        sandbox.take(uuid4(), STARTER)
    assert len(sandbox._purses) == 5
    assert acme in sandbox._purses


def test_an_idle_tenants_item_expires(table: Watched, clock: Moment, acme: UUID) -> None:
    is_let_through(sandboxes(table, clock, 1)[0], acme)
    item = table.get(f"tenant#{acme}#rate", "bucket")
    assert item is not None
    assert item["expires_at"] == int((MORNING + timedelta(days=3)).timestamp())


def test_a_clock_that_goes_back_refuses_nobody_for_long(table: Watched, clock: Moment, acme: UUID) -> None:
    (sandbox,) = sandboxes(table, clock, 1)
    let_through([sandbox], acme, 1000)
    clock.forward(-0.5)
    assert not is_let_through(sandbox, acme), "tokens are taken until later"
    clock.forward(1)
    assert is_let_through(sandbox, acme)


class Ideal:
    """One bucket that everybody's requests go through, one by one: what there would be without sandboxes."""

    def __init__(self, rate: Rate, now: datetime) -> None:
        self._rate, self._at, self.tokens = rate, now, float(rate.burst)

    def refill(self, now: datetime) -> None:
        passed = (now - self._at).total_seconds()
        self.tokens = min(self._rate.burst, self.tokens + passed * self._rate.per_second)
        self._at = now


_STEPS = st.lists(
    st.tuples(
        st.sampled_from((0.0, 0.001, 0.02, 0.1, 0.5, 2.0, 61.0)),  # seconds until then
        st.integers(0, 5),  # the first sandbox that is asked
        st.integers(1, 60),  # requests, one after the other
        st.sampled_from((1, 6)),  # all to one sandbox, or to each in turn
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=_STEPS, rate=st.sampled_from([Rate(10, 10, None), Rate(50, 100, 400), STARTER, Rate(7, 30, None)]))
def test_bounds_hold_whatever_comes(table: Watched, steps: list[tuple[float, int, int, int]], rate: Rate) -> None:
    """Over: in every span burst + rate·t + N·B, from the first call on without N·B. Under: only below (N + 2)·B."""
    clock, tenant, largest = Moment(MORNING), uuid4(), largest_lease(rate)
    limiters = sandboxes(table, clock, 6)
    ideal, total, spans = Ideal(rate, clock.now), 0, []
    for pause, first, requests, spread in steps:
        clock.forward(pause)
        ideal.refill(clock.now)
        before = total
        for number in range(requests):
            try:
                limiters[(first + number % spread) % 6].take(tenant, rate)
            except RateLimited:
                assert ideal.tokens < (6 + 2) * largest, "refused while there was room"
            except DailyQuotaExceeded:
                assert rate.calls_per_day is not None
                assert total > rate.calls_per_day - 6 * largest, "refused while there were calls left"
            else:
                ideal.tokens -= 1
                total += 1
        spans.append((clock.now, before, total))
    assert rate.calls_per_day is None or total <= rate.calls_per_day
    for number, (since, before, _) in enumerate(spans):
        for until, _, after in spans[number:]:
            most = rate.burst + rate.per_second * (until - since).total_seconds()
            assert after - before <= most + (6 * largest if before else 0) + 1e-6


def _hammer(environ: dict[str, str], name: str, tenant: UUID, requests: int) -> int:
    """What one sandbox, a process, lets through by the real clock."""
    import os  # noqa: PLC0415  in a process of its own

    os.environ.update(environ)
    with closing(AwsClient("dynamodb")) as wire:
        limiter = RateLimiter(utc_now, SharedBuckets(Table(name, wire)))
        return let_through([limiter], tenant, requests, Rate(10, 300, None))


def test_sandboxes_that_ask_at_the_same_moment_share_one_bucket(servers: Stack, name: str, acme: UUID) -> None:
    began = utc_now()
    with ProcessPoolExecutor(4, mp_context=multiprocessing.get_context("spawn")) as pool:
        runs = [pool.submit(_hammer, servers.aws_environment(), name, acme, 400) for _ in range(4)]
        taken = sum(run.result() for run in runs)
    passed = (utc_now() - began).total_seconds()
    assert 300 - 6 <= taken <= 300 + 10 * passed


def test_a_thread_each_and_no_call_of_the_day_too_many(name: str, acme: UUID) -> None:
    rate = Rate(100_000, 100_000, 500)

    def work(table: Table) -> int:
        return let_through([RateLimiter(utc_now, SharedBuckets(table))], acme, 300, rate)

    with ExitStack() as stack, ThreadPoolExecutor(8) as pool:
        tables = [Table(name, stack.enter_context(closing(AwsClient("dynamodb")))) for _ in range(8)]
        assert sum(pool.map(work, tables)) <= 500
