"""The ring as a sandbox reads it: seldom, again when it has to, and never for a name that cannot be one."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tenant_context.aws import AwsClient
from tenant_context.errors import Unavailable
from tenant_context.key_ring import RING, KeyRing, State
from tests.dynamo import Watched

PUBLIC = (
    rsa.generate_private_key(public_exponent=65537, key_size=2048)
    .public_key()
    .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
)
ODD = ["", "../../../dev/null", "x' OR '1'='1", "ring", "\x00", "A" * 65_536, "arn:aws:kms:us-east-1:999:key/theirs"]


class Clock:
    passed = 0.0

    def __call__(self) -> datetime:
        return datetime(2026, 3, 2, 9, 0, tzinfo=UTC) + timedelta(seconds=self.passed)


class Rings(Watched):
    """The table of a ring."""

    def hold(self, **states: State) -> None:
        keys = [
            {"kid": kid, "arn": f"arn:{kid}", "algorithm": "RS256", "public_key": PUBLIC, "state": state}
            for kid, state in states.items()
        ]
        self.put({"pk": RING[0], "sk": RING[1], "keys": keys})


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def table(table_name: str) -> Iterator[Rings]:
    with closing(AwsClient("dynamodb")) as wire:
        yield Rings(table_name, wire)


def test_it_is_read_once_and_again_after_five_minutes(table: Rings, clock: Clock) -> None:
    table.hold(one=State.SIGNING)
    ring = KeyRing(table, clock)
    for _ in range(3):
        assert ring.find("one")
        clock.passed += 99
    assert table.asked == 1
    clock.passed += 3
    assert ring.find("one")
    assert table.asked == 2


def test_a_name_it_does_not_know_makes_it_read_again_at_most_once_in_ten_seconds(table: Rings, clock: Clock) -> None:
    table.hold(one=State.SIGNING)
    ring = KeyRing(table, clock)
    assert ring.find("one")
    clock.passed += 10
    table.hold(one=State.VERIFYING, two=State.SIGNING)
    assert ring.find("two")
    for number in range(100):
        assert ring.find(f"made-up-{number}") is None
    assert table.asked == 2


@pytest.mark.parametrize("kid", ODD, ids=lambda kid: kid[:12])
def test_an_odd_name_is_nobodys(table: Rings, clock: Clock, kid: str) -> None:
    table.hold(one=State.SIGNING)
    ring = KeyRing(table, clock)
    assert ring.find("one")
    clock.passed += 10
    assert ring.find(kid) is None
    assert table.asked == (1 if len(kid) > 128 else 2)


def test_a_retired_key_is_nobodys_and_one_that_waits_is_believed(table: Rings, clock: Clock) -> None:
    table.hold(old=State.RETIRED, one=State.VERIFYING, two=State.SIGNING, three=State.PENDING)
    ring = KeyRing(table, clock)
    assert ring.find("old") is None
    assert [key.kid for key in ring.published()] == ["two", "one", "three"]
    assert ring.signing().kid == "two"


def test_who_signs_hears_within_half_a_minute_which_key_it_is(table: Rings, clock: Clock) -> None:
    table.hold(one=State.SIGNING, two=State.PENDING)
    ring = KeyRing(table, clock)
    assert ring.signing().kid == "one"
    table.hold(one=State.VERIFYING, two=State.SIGNING)
    clock.passed += 29
    assert ring.signing().kid == "one"
    clock.passed += 1
    assert ring.signing().kid == "two"


def test_what_is_known_holds_while_the_table_does_not_answer(table: Rings, clock: Clock) -> None:
    table.hold(one=State.SIGNING)
    ring = KeyRing(table, clock)
    assert ring.find("one")
    table.failing = True
    clock.passed += 301
    for _ in range(5):
        assert ring.find("one")
    assert table.asked == 2


def test_a_sandbox_that_never_read_it_believes_nobody(table: Rings, clock: Clock) -> None:
    table.hold(one=State.SIGNING)
    table.failing = True
    ring = KeyRing(table, clock)
    with pytest.raises(Unavailable):
        ring.find("one")
    table.failing = False
    assert ring.find("one")


def test_without_a_key_nothing_is_signed(table: Rings, clock: Clock) -> None:
    ring = KeyRing(table, clock)
    with pytest.raises(Unavailable):
        ring.signing()
    table.hold(one=State.SIGNING)
    assert ring.signing().kid == "one", "it is looked for at every attempt until there is one"
