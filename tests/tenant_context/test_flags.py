"""Feature flags: the same answer everywhere, for the share that was asked for, without a call for each request."""

from collections.abc import Callable, Iterator
from uuid import UUID, uuid4

import pytest

from tenant_context.dynamo import ConditionFailed, Item, Table
from tenant_context.flags import Flag, Flags, Shelf, place_of
from tests.dynamo import Watched, watched

TENANTS = [UUID(int=number * 7919) for number in range(10_000)]


class Time:
    """The clock, moved by hand."""

    passed = 0.0

    def __call__(self) -> float:
        return self.passed


class Interrupted(Table):
    """A table after whose look something happens: after the second one, or after every one."""

    def __init__(self, table: Table, then: Callable[[], None], *, every: bool = False) -> None:
        super().__init__(table._name, table._client)
        self._then, self._every, self._looks = then, every, 0

    def get(self, pk: str, sk: str) -> Item | None:
        found = super().get(pk, sk)
        self._looks += 1
        if self._every or self._looks == 2:
            self._then()
        return found


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


def test_who_is_taken_out_of_a_flag_is_beside_what_an_operator_makes_of_it_meanwhile(table: Watched) -> None:
    """The operator comes between the look and the change; the change is made to what is there then."""
    gone, other = map(str, TENANTS[:2])
    before, meanwhile = Flag(5, on=frozenset({gone})), Flag(50, on=frozenset({gone, other}), off=frozenset({gone}))
    shelf, operator = Shelf(Interrupted(table, lambda: operator.set("maps", meanwhile))), Shelf(table)
    operator.set("maps", before)
    assert shelf.naming(TENANTS[0]) == ["maps"]
    shelf.forget("maps", TENANTS[0])
    assert operator.all() == {"maps": Flag(50, on=frozenset({other}))}
    shelf.forget("maps", TENANTS[0])
    shelf.forget("panels", TENANTS[0])
    assert operator.all() == {"maps": Flag(50, on=frozenset({other}))}


def test_a_flag_that_never_keeps_still_is_said_to_be_so(table: Watched) -> None:
    gone, operator = str(TENANTS[0]), Shelf(table)
    shares = iter(range(100))

    def again() -> None:
        operator.set("maps", Flag(next(shares), on=frozenset({gone})))

    again()
    with pytest.raises(ConditionFailed):
        Shelf(Interrupted(table, again, every=True)).forget("maps", TENANTS[0])
    assert operator.naming(TENANTS[0]) == ["maps"]


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
