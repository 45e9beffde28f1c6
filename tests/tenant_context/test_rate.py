"""A token bucket for each tenant, by an injected clock."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenant_context.errors import TooManyRequests
from tenant_context.rate import _KEPT, RateLimiter

ACME, GLOBEX = uuid4(), uuid4()


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
    return RateLimiter(rate=2, burst=5, clock=clock)


def drain(limiter: RateLimiter, tenant: UUID) -> int:
    taken = 0
    while True:
        try:
            limiter.take(tenant)
        except TooManyRequests:
            return taken
        taken += 1


def test_a_burst_is_let_through_and_counted_down(limiter: RateLimiter) -> None:
    assert [limiter.take(ACME) for _ in range(5)] == [4, 3, 2, 1, 0]


def test_then_it_is_429_with_the_seconds_to_wait(limiter: RateLimiter) -> None:
    drain(limiter, ACME)
    with pytest.raises(TooManyRequests) as caught:
        limiter.take(ACME)
    assert caught.value.headers["retry-after"] == "1"


def test_one_tenant_takes_nothing_of_anothers(limiter: RateLimiter) -> None:
    drain(limiter, ACME)
    assert limiter.take(GLOBEX) == 4


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


def test_a_slow_rate_says_how_long_to_wait(clock: Clock) -> None:
    limiter = RateLimiter(rate=1, burst=1, clock=clock)
    limiter.take(ACME)
    with pytest.raises(TooManyRequests) as caught:
        limiter.take(ACME)
    clock.forward(int(caught.value.headers["retry-after"]))
    assert limiter.take(ACME) == 0


def test_what_is_kept_is_bounded(limiter: RateLimiter) -> None:
    for _ in range(_KEPT + 50):
        limiter.take(uuid4())
    assert len(limiter._buckets) == _KEPT


def test_headers_tell_the_policy_and_what_is_left(limiter: RateLimiter) -> None:
    assert limiter.policy == '"tenant";q=5;w=3'
    assert limiter.header(limiter.take(ACME)) == '"tenant";r=4;t=1'
    assert limiter.untouched == '"tenant";r=5;t=1'


@given(st.lists(st.floats(min_value=0, max_value=2), max_size=60))
def test_never_more_than_burst_and_rate_allow(pauses: list[float]) -> None:
    clock = Clock()
    limiter = RateLimiter(rate=2, burst=5, clock=clock)
    let_through = 0
    for pause in pauses:
        clock.forward(pause)
        let_through += drain(limiter, ACME)
    assert let_through <= 5 + 2 * sum(pauses) + 1e-3
