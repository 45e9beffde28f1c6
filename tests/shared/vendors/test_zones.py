"""Times without a zone: what does not exist is refused, what exists twice is told or refused, nothing is guessed."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from shared.vendors.errors import Fault
from shared.vendors.model import Record
from shared.vendors.rules.zones import Times

BERLIN = ZoneInfo("Europe/Berlin")
QUARTER = timedelta(minutes=15)


def moments(
    *intervals: tuple[str | None, str | None], rule: str = "local", zone: ZoneInfo | None = BERLIN
) -> list[tuple[str, str] | str]:
    """Start and end in UTC of each interval as a device wrote it, or the code of its refusal."""
    records = [
        Record(row, "", start and datetime.fromisoformat(start), end and datetime.fromisoformat(end), 0, 0)  # type: ignore[arg-type]
        for row, (start, end) in enumerate(intervals)
    ]
    found: list[tuple[str, str] | str] = []
    for settled in Times(zone, rule, QUARTER).moments(records).values():
        try:
            start, end = settled()
            found.append((f"{start:%d %H:%M%z}".removesuffix("+0000"), f"{end:%d %H:%M%z}".removesuffix("+0000")))
        except Fault as fault:
            found.append(fault.code)
    return found


def test_a_time_without_a_zone_is_the_sensors() -> None:
    assert moments(("2026-03-02T10:00", "2026-03-02T10:15")) == [("02 09:00", "02 09:15")]


def test_the_rule_says_what_a_time_without_a_zone_is() -> None:
    bare, with_offset = ("2026-03-02T10:00", "2026-03-02T10:15"), ("2026-03-02T10:00+03:00", "2026-03-02T10:15+03:00")
    assert moments(bare, with_offset, rule="utc") == [("02 10:00", "02 10:15"), ("02 07:00", "02 07:15")]
    assert moments(bare, with_offset, rule="offset") == ["no-zone", ("02 07:00", "02 07:15")]
    assert moments(bare, with_offset, zone=None) == ["no-zone", ("02 07:00", "02 07:15")]


def test_an_interval_without_an_end_or_a_start_is_as_long_as_the_sensors() -> None:
    assert moments(("2026-03-02T10:00", None), (None, "2026-03-02T10:30")) == [
        ("02 09:00", "02 09:15"), ("02 09:15", "02 09:30"),
    ]  # fmt: skip
    assert moments((None, None)) == ["time"]


def test_a_time_that_the_clocks_leap_over_is_refused() -> None:
    assert moments(
        ("2026-03-29T01:30", "2026-03-29T01:45"),
        ("2026-03-29T02:00", "2026-03-29T02:15"),
        ("2026-03-29T02:30", None),
        (None, "2026-03-29T02:45"),
        ("2026-03-29T03:00", "2026-03-29T03:15"),
    ) == [("29 00:30", "29 00:45"), *["local-time-missing"] * 3, ("29 01:00", "29 01:15")]


def test_an_interval_ends_at_the_leap_however_its_device_writes_that() -> None:
    assert moments(("2026-03-29T01:45", "2026-03-29T02:00"), ("2026-03-29T01:45", "2026-03-29T03:00")) == [
        ("29 00:45", "29 01:00"), ("29 00:45", "29 01:00"),
    ]  # fmt: skip
    assert moments(("2026-03-29T01:45", "2026-03-29T02:15")) == ["local-time-missing"]


def night(*minutes: str) -> list[tuple[str, None]]:
    return [(f"2026-10-25T{minute}", None) for minute in minutes]


def test_a_push_that_goes_through_the_hour_twice_tells_which_is_which() -> None:
    both = night("01:30", "02:00", "02:30", "02:00", "02:30", "03:00")
    assert [one[0] for one in moments(*both)] == [
        "24 23:30", "25 00:00", "25 00:30", "25 01:00", "25 01:30", "25 02:00",
    ]  # fmt: skip
    assert moments(*both[::-1]) == moments(*both)[::-1]


@pytest.mark.parametrize("minutes", [("02:15",), ("02:00", "02:30"), ("02:00", "02:30", "02:00", "02:30", "02:00")])
def test_a_time_that_exists_twice_is_refused_where_the_push_does_not_tell(minutes: tuple[str, ...]) -> None:
    assert moments(*night(*minutes)) == ["local-time-twice"] * len(minutes)


def test_the_length_of_an_interval_tells_which_of_two_times_it_is() -> None:
    edges = [("01:45", "02:00"), ("02:45", "03:00"), ("02:45", "02:00")]
    found = moments(*((f"2026-10-25T{start}", f"2026-10-25T{end}") for start, end in edges))
    assert found[0] == ("24 23:45", "25 00:00")
    # The last quarter before three is the second one; one that ends before it began is the first.
    alone = [moments((f"2026-10-25T{start}", f"2026-10-25T{end}"))[0] for start, end in edges[1:]]
    assert alone == [("25 01:45", "25 02:00"), ("25 00:45", "25 01:00")]


def test_a_zone_without_a_change_knows_no_such_time() -> None:
    assert moments(*night("02:15"), zone=ZoneInfo("Asia/Riyadh")) == [("24 23:15", "24 23:30")]
