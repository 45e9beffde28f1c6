"""A sandbox's own token bucket for each tenant, by an injected clock: what holds without shared ones."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenant_context import rate
from tenant_context.plans import PLANS, USUAL, Rate, plan_of, read_rate
from tenant_context.rate import RateLimiter, policy, untouched
from tenant_context.refusals import RateLimited

ACME, GLOBEX = uuid4(), uuid4()
SLOW = Rate(2, 5, None)


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 3, 2, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limiter(clock: Clock) -> RateLimiter:
    return RateLimiter(clock)


def drain(limiter: RateLimiter, tenant: UUID) -> int:
    taken = 0
    while True:
        try:
            limiter.take(tenant, SLOW)
        except RateLimited:
            return taken
        taken += 1


def test_a_burst_is_let_through_and_counted_down(limiter: RateLimiter) -> None:
    assert [limiter.take(ACME, SLOW) for _ in range(5)] == [f'"tenant";r={left};t=1' for left in (4, 3, 2, 1, 0)]


def test_then_it_is_429_with_the_seconds_to_wait(limiter: RateLimiter) -> None:
    drain(limiter, ACME)
    with pytest.raises(RateLimited) as caught:
        limiter.take(ACME, SLOW)
    assert caught.value.headers == {
        "retry-after": "1",
        "ratelimit": '"tenant";r=0;t=1',
        "ratelimit-policy": '"tenant";q=5;w=3',
    }
    assert caught.value.members == {
        "limit": "burst", "value": 5, "usage": 5, "resets_at": "2026-03-02T00:00:01Z",
    }  # fmt: skip


def test_one_tenant_takes_nothing_of_anothers(limiter: RateLimiter) -> None:
    drain(limiter, ACME)
    assert drain(limiter, GLOBEX) == 5


def test_tokens_come_back_at_the_rate_and_never_above_the_burst(limiter: RateLimiter, clock: Clock) -> None:
    drain(limiter, ACME)
    clock.forward(1)
    assert drain(limiter, ACME) == 2
    clock.forward(1000)
    assert drain(limiter, ACME) == 5


def test_a_clock_that_goes_back_gives_nothing(limiter: RateLimiter, clock: Clock) -> None:
    drain(limiter, ACME)
    clock.forward(-3600)
    assert drain(limiter, ACME) == 0
    clock.forward(1)
    assert drain(limiter, ACME) == 2


def test_who_waits_as_told_is_let_through(limiter: RateLimiter, clock: Clock) -> None:
    one = Rate(1, 1, None)
    limiter.take(ACME, one)
    with pytest.raises(RateLimited) as caught:
        limiter.take(ACME, one)
    clock.forward(int(caught.value.headers["retry-after"]))
    assert limiter.take(ACME, one) == '"tenant";r=0;t=1'


def test_what_is_kept_is_bounded(limiter: RateLimiter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate, "_KEPT", 50)
    for _ in range(80):
        limiter.take(uuid4(), SLOW)
    assert len(limiter._own._buckets) == 50


def test_headers_tell_each_policy() -> None:
    assert policy(SLOW) == '"tenant";q=5;w=3'
    assert policy(Rate(100, 200, 1000)) == '"tenant";q=200;w=2, "day";q=1000;w=86400'
    assert untouched(SLOW) == '"tenant";r=5;t=1'


@given(st.lists(st.floats(min_value=0, max_value=2), max_size=60))
def test_never_more_than_burst_and_rate_allow(pauses: list[float]) -> None:
    clock = Clock()
    limiter = RateLimiter(clock)
    let_through = 0
    for pause in pauses:
        clock.forward(pause)
        let_through += drain(limiter, ACME)
    assert let_through <= 5 + 2 * sum(pauses) + 1e-3


@pytest.mark.parametrize("plan", PLANS.values(), ids=lambda plan: plan.name)
def test_what_a_token_carries_is_what_its_plan_says(plan: object) -> None:
    assert read_rate(plan_of(plan.name).rate.claim()) == plan.rate  # type: ignore[attr-defined]


@pytest.mark.parametrize("claim", [None, [], [1, 2], [0, 5, None], ["1", 2, 3], {"per_second": 5}, "fast"])
def test_a_token_that_carries_no_rate_has_the_usual_one(claim: object) -> None:
    assert read_rate(claim) == USUAL.rate


def test_a_name_of_no_plan_has_the_usual_one() -> None:
    assert plan_of("of another time") is USUAL
