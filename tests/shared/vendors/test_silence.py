"""Where a device shows that it was there and tells of nobody, nobody came."""

from shared.sites.model import Line
from shared.vendors.model import Push
from shared.vendors.rules.settle import settle
from tests.shared.vendors import samples
from tests.shared.vendors.test_formats import profile, read, rows


def live(*frames: tuple[int, int]) -> Push:
    """Crossings of the door: so many, so many milliseconds after nine."""
    crossing = {"type": "LINE_CROSS_FORWARD", "attributes": {"geometry_id": 1, "geometry_name": "Door"}}
    nine = samples.XOVIS_LIVE["live_data"]["frames"][0]["time"] - 7
    told = [{"time": nine + at, "events": [crossing] * times} for at, times in frames]
    return read({"live_data": {**samples.XOVIS_LIVE["live_data"], "frames": told}})


def test_crossings_cover_the_interval_that_they_fall_into_once_and_for_every_line_that_is_known() -> None:
    events = profile(counts_from="events", lines={"Hall": Line(), "2": Line(direction="ignored")})
    found, _ = rows(live((0, 1), (1_000, 2), (900_001, 0), (86_400_000, 0)), events)
    assert found == [
        ("Door", "02 09:00:00", "02 09:00:00", 1, 0), ("Door", "02 09:00:01", "02 09:00:01", 2, 0),
        ("Door", "02 09:00:00", "02 09:15:00", 0, 0), ("Door", "02 09:15:00", "02 09:30:00", 0, 0),
        ("Door", "03 09:00:00", "03 09:15:00", 0, 0),
        ("Hall", "02 09:00:00", "02 09:15:00", 0, 0), ("Hall", "02 09:15:00", "02 09:30:00", 0, 0),
        ("Hall", "03 09:00:00", "03 09:15:00", 0, 0),
    ]  # fmt: skip
    intervals, _ = settle(live((0, 1)), "door", events)
    assert len({row.start for _, row in intervals.taken if row.line == "Door"}) == 2  # none has another's place


def test_frames_of_ages_cover_nothing() -> None:
    events = profile(interval=1, counts_from="events", lines={str(one): Line() for one in range(64)})
    push = live(*((60_000 * minute, 0) for minute in range(200)))
    assert rows(push, events) == ([], [])


def vivotek(*told: tuple[str, str, str]) -> Push:
    """Counts of rules: one came in, none went out."""
    info = [
        {
            "RuleName": rule,
            "In": 1,
            "Out": 0,
            "StartTime": f"2026-03-02T{start}:00Z",
            "EndTime": f"2026-03-02T{end}:00Z",
        }
        for rule, start, end in told
    ]
    return read({**samples.VIVOTEK, "Data": [{"RuleType": "Counting", "CountingInfo": info}]})


def test_silence_is_zero_where_the_setup_says_so_and_missing_else() -> None:
    told = (("Door", "09:00", "09:15"), ("Hall", "09:45", "10:00"))
    lines = {"Door": Line(), "Hall": Line(name="hall"), "Yard": Line(direction="ignored")}
    zero = profile(silence="zero", lines=lines)
    found, _ = rows(vivotek(*told), zero)
    assert sorted(found) == sorted(
        (line, f"02 {start}:00", f"02 {end}:00", int((line, start) in {("Door", "09:00"), ("hall", "09:45")}), 0)
        for line in ("Door", "hall")
        for start, end in (("09:00", "09:15"), ("09:15", "09:30"), ("09:30", "09:45"), ("09:45", "10:00"))
    )
    assert len(rows(vivotek(*told), profile(lines=lines))[0]) == 2
    far = rows(vivotek(("Door", "00:00", "00:15"), ("Door", "23:30", "23:45")), zero)[0]
    assert len(far) == 2 * 95  # a day at most
