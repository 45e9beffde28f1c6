"""Guessing made slow, for the guesser: on real DynamoDB semantics, with the clock moved by hand."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import uuid4

import pytest

from shared.identity.errors import TooManyTries
from shared.identity.repository.throttles import ThrottleRepository
from shared.identity.service.throttle import Limits, Throttle, device_token, known_device, network_of
from tenant_context.aws import AwsClient
from tenant_context.dynamo import Table

ALICE, ATTACKER, HOME = "alice@acme.example", "203.0.113.66", "198.51.100.7"


class Clock:
    """Seconds moved by hand."""

    passed = 0.0

    def __call__(self) -> datetime:
        return datetime(2026, 3, 2, 9, 0, tzinfo=UTC) + timedelta(seconds=self.passed)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def throttle(table_name: str, clock: Clock) -> Iterator[Throttle]:
    wire = AwsClient("dynamodb")
    yield Throttle(ThrottleRepository(Table(table_name, wire)), clock, Limits())
    wire.close()


@pytest.fixture
def kind() -> str:
    """Every test counts for itself."""
    return uuid4().hex


def guess(throttle: Throttle, kind: str, account: str, address: str, device: str = "") -> int:
    """One wrong guess; answers how long it is kept waiting (0: it was let through)."""
    try:
        throttle.failed(throttle.enter(kind, account, address, device))
    except TooManyTries as error:
        return int(error.headers["retry-after"])
    return 0


def test_a_few_tries_are_free_and_then_each_waits_twice_as_long(throttle: Throttle, clock: Clock, kind: str) -> None:
    assert [guess(throttle, kind, ALICE, ATTACKER) for _ in range(5)] == [0] * 5
    waits = []
    for _ in range(14):
        waits.append(guess(throttle, kind, ALICE, ATTACKER))
        clock.passed += waits[-1]
        assert guess(throttle, kind, ALICE, ATTACKER) == 0
    assert waits[0] <= 2
    assert all(later >= earlier for earlier, later in pairwise(waits))
    assert waits[-1] >= 900


def test_the_right_password_begins_anew(throttle: Throttle, clock: Clock, kind: str) -> None:
    for _ in range(5):
        guess(throttle, kind, ALICE, HOME)
    clock.passed += 2
    throttle.succeeded(throttle.enter(kind, ALICE, HOME))
    assert [guess(throttle, kind, ALICE, HOME) for _ in range(5)] == [0] * 5


def test_an_attacker_slows_himself_and_not_the_owner_elsewhere(throttle: Throttle, kind: str) -> None:
    while guess(throttle, kind, ALICE, ATTACKER) == 0:
        pass
    assert guess(throttle, kind, ALICE, HOME) == 0


def test_attackers_everywhere_do_not_lock_the_owner_out_of_a_known_device(throttle: Throttle, kind: str) -> None:
    for host in range(60):
        guess(throttle, kind, ALICE, f"203.0.113.{host}")
    assert guess(throttle, kind, ALICE, HOME) > 0, "somewhere new has to wait"
    assert guess(throttle, kind, ALICE, HOME, "alices-laptop") == 0
    assert guess(throttle, kind, ALICE, HOME) <= 31, "though not for long"


def test_a_known_device_is_no_licence_to_guess(throttle: Throttle, kind: str) -> None:
    assert [guess(throttle, kind, ALICE, HOME, "stolen") for _ in range(6)][-1] > 0


def test_one_address_over_many_accounts_is_slowed(throttle: Throttle, kind: str) -> None:
    for one in range(50):
        assert guess(throttle, kind, f"user{one}@acme.example", ATTACKER) == 0
    assert guess(throttle, kind, "another@acme.example", ATTACKER) > 0
    assert guess(throttle, kind, "another@acme.example", HOME) == 0


def test_hosts_of_one_ipv6_network_count_as_one(throttle: Throttle, kind: str) -> None:
    waits = [guess(throttle, kind, ALICE, f"2001:db8:1:2::{host:x}") for host in range(6)]
    assert waits[-1] > 0
    assert guess(throttle, kind, ALICE, "2001:db8:1:3::1") == 0


def test_a_hundred_guesses_at_once_are_no_more_than_the_free_ones(table_name: str, clock: Clock, kind: str) -> None:
    def sandbox(_: int) -> list[int]:
        wire = AwsClient("dynamodb")
        throttle = Throttle(ThrottleRepository(Table(table_name, wire)), clock, Limits())
        try:
            return [guess(throttle, kind, ALICE, ATTACKER) for _ in range(10)]
        finally:
            wire.close()

    with ThreadPoolExecutor(10) as pool:
        waits = [wait for waited in pool.map(sandbox, range(10)) for wait in waited]
    assert 1 <= waits.count(0) <= 5


def test_it_is_forgotten_after_a_day(throttle: Throttle, clock: Clock, kind: str) -> None:
    for _ in range(6):
        guess(throttle, kind, ALICE, ATTACKER)
    clock.passed += 86_401
    assert [guess(throttle, kind, ALICE, ATTACKER) for _ in range(5)] == [0] * 5


def test_a_device_is_known_to_its_user_only() -> None:
    token = device_token("alice", "laptop", "pepper")
    assert known_device(token, "alice", "pepper") == "laptop"
    for user, shown in (("bob", token), ("alice", token[:-1]), ("alice", ""), ("alice", "dt_laptop_"),
                        ("alice", "ü_ü_ü"), ("alice", token.replace("laptop", "phone")), ("alice", "dt")):  # fmt: skip
        assert known_device(shown, user, "pepper") == ""


@pytest.mark.parametrize(
    ("address", "network"),
    [("192.0.2.1", "192.0.2.1"), ("::ffff:192.0.2.1", "192.0.2.1"), ("2001:db8::1", "2001:db8::/64"), ("", "unknown"),
     ("not an address", "unknown"), ("2001:db8::1%eth0", "2001:db8::/64")],
)  # fmt: skip
def test_an_address_is_what_one_caller_has(address: str, network: str) -> None:
    assert network_of(address) == network
