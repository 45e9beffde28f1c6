"""Feature flags: the same answer everywhere, for the share that was asked for, without a call for each request."""

from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest

from tenant_context.flags import Flag, Flags, Shelf, place_of
from tests.dynamo import Watched, watched

TENANTS = [UUID(int=number * 7919) for number in range(10_000)]


class Time:
    """The clock, moved by hand."""

    passed = 0.0

    def __call__(self) -> float:
        return self.passed


@pytest.fixture
def table(table_name: str) -> Iterator[Watched]:
    with watched(table_name) as opened:
        yield opened


@pytest.mark.parametrize(
    ("percent", "least", "most"), [(0, 0, 0), (1, 60, 140), (25, 2300, 2700), (100, 10_000, 10_000)]
)
def test_a_share_is_about_what_was_asked_for(percent: float, least: int, most: int) -> None:
    flag = Flag(percent)
    assert least <= sum(flag.holds("maps", tenant) for tenant in TENANTS) <= most


def test_a_share_that_grows_keeps_whom_it_had() -> None:
    before, after = Flag(10), Flag(30)
    assert all(after.holds("maps", tenant) for tenant in TENANTS if before.holds("maps", tenant))


def test_each_flag_chooses_others() -> None:
    both = sum(Flag(50).holds("maps", tenant) and Flag(50).holds("panels", tenant) for tenant in TENANTS)
    assert 2300 <= both <= 2700


def test_a_tenants_place_never_moves() -> None:
    """These numbers are what the hash gave when it was chosen: another hash would switch every share anew."""
    assert [place_of("maps", UUID(int=number)) for number in (1, 2, 3)] == [1147, 778, 2491]


def test_named_tenants_come_before_the_share() -> None:
    one, other = map(str, TENANTS[:2])
    flag = Flag(0, on=frozenset({one}))
    assert (flag.holds("maps", TENANTS[0]), flag.holds("maps", TENANTS[1])) == (True, False)
    assert not Flag(100, on=frozenset({other}), off=frozenset({other})).holds("maps", TENANTS[1])


def test_a_flag_is_set_and_taken_away_within_thirty_seconds(table: Watched) -> None:
    time, shelf, tenant = Time(), Shelf(table), uuid4()
    flags = Flags(table, time)
    assert not flags.on("maps", tenant)
    shelf.set("maps", Flag(100))
    shelf.set("panels", Flag(0, on=frozenset({str(tenant)})))
    assert not flags.on("maps", tenant)
    time.passed += 30
    assert flags.all_on(tenant) == ("maps", "panels")
    shelf.set("maps", None)
    time.passed += 30
    assert flags.all_on(tenant) == ("panels",)
    assert shelf.all() == {"panels": Flag(0, on=frozenset({str(tenant)}))}


def test_a_thousand_requests_are_one_reading(table: Watched) -> None:
    flags = Flags(table, Time())
    for _ in range(1000):
        flags.on("maps", TENANTS[0])
    assert table.asked == 1


def test_without_the_table_what_is_known_goes_on(table: Watched) -> None:
    time = Time()
    flags = Flags(table, time)
    Shelf(table).set("maps", Flag(100))
    assert flags.on("maps", TENANTS[0])
    table.failing = True
    time.passed += 3600
    assert flags.on("maps", TENANTS[0])
    assert not Flags(table, time).on("maps", TENANTS[0])
