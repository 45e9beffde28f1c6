"""From a push to a score: what came is tallied once, days that are over are scored, late data has its own anew."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest

from shared.measurements.repository.raw import RawRepository
from shared.measurements.service import Recalibration
from shared.quality.errors import SensorNotFound, WrongDays
from shared.quality.model import Finding
from shared.quality.repository.days import DayRepository
from shared.quality.repository.incidents import IncidentRepository
from shared.quality.repository.tallies import TallyRepository
from shared.quality.service.reading import Quality, Wanted
from shared.sensors import rules
from shared.sites.model import SensorId, Setup
from shared.sites.repository.sensors import SensorRepository
from tenant_context.clock import uuid7
from tenant_context.context import TenantContext
from tenant_context.postgres import Database
from tests.integration.counted import Line, add_sensor, add_site, found, known
from tests.integration.test_calibration import doubled, keep

Tenants = tuple[TenantContext, TenantContext]
FIRST = date(2026, 3, 2)
TALLY = "received, duplicates, revised, late, rejected, leapt, doubtful, ahead"


class Door(Line):
    """A line with one counter of hours, in Berlin."""

    def __init__(self, database: Database, tenant: TenantContext) -> None:
        with database.transaction(tenant) as tx:
            self.site = add_site(tx, "Europe/Berlin")
            self.sensor = add_sensor(tx, self.site, "door")
        super().__init__(database, tenant, {"door": known(self.sensor, "Europe/Berlin")})

    def day(self, ahead: int, hours: range = range(24), people: int = 40) -> list[tuple[str, int, int]]:
        """Rows of a day."""
        on = FIRST + timedelta(days=ahead)
        return [(f"{on} {hour:02d}:00", people + hour, people + hour) for hour in hours]

    def days(self, columns: str) -> list[tuple[Any, ...]]:
        """The rows of the days, in order."""
        query: Any = f"SELECT {columns} FROM quality_days ORDER BY day"
        return self.database.read(self.tenant, query)

    def quality(self) -> Quality:
        """What reads them."""
        return Quality(self.database, DayRepository(), IncidentRepository())


@pytest.fixture
def door(database: Database, two_tenants: Tenants) -> Door:
    return Door(database, two_tenants[0])


def test_rows_are_tallied_by_their_stores_own_day(door: Door) -> None:
    door.push_csv("door", door.day(0) + door.day(1, range(2)))
    assert door.days("day, received") == [(FIRST, 24), (FIRST + timedelta(days=1), 2)]


def test_repetitions_are_counted_whether_the_door_drops_them_or_the_processor(door: Door) -> None:
    receipt = door.push_csv("door", door.day(0) * 2)
    assert (receipt.accepted, receipt.duplicates) == (24, 24)
    assert door.days(TALLY)[0][:3] == (24, 24, 0)
    door.push_csv("door", door.day(0)[:10])
    assert door.days(TALLY)[0][:3] == (34, 34, 0)


def test_corrections_are_counted_beside_what_is_new_and_what_is_known(door: Door) -> None:
    door.push_csv("door", door.day(0, range(12)))
    time, entries, exits = door.day(0)[3]
    door.push_csv("door", [*door.day(0, range(4, 14)), (time, entries + 1, exits)])
    assert door.days(TALLY)[0][:3] == (23, 8, 1)


def test_refused_rows_are_of_their_day_and_those_of_the_future_of_the_day_they_came(door: Door) -> None:
    spring = "2026-03-29 02:30"
    future = f"{datetime.now(UTC) + timedelta(days=40):%Y-%m-%d %H:%M}"
    receipt = door.push_csv("door", [(spring, 1, 1), (future, 1, 1), ("2026-10-25 02:30", 1, 1)])
    assert [one.code for one in receipt.refused] == ["local-time-missing", "future", "local-time-twice"]
    today = datetime.now(UTC).date()
    found_days = {day: tally for day, *tally in door.days(f"day, {TALLY}")}
    assert found_days[date(2026, 3, 29)] == [0, 0, 0, 0, 1, 1, 0, 0]
    assert found_days[date(2026, 10, 25)] == [0, 0, 0, 0, 1, 0, 1, 0]
    ((ahead_day, tally),) = [one for one in found_days.items() if one[1][7]]
    assert abs((ahead_day - today).days) <= 1
    assert tally[4] == 1


def test_what_is_refused_for_an_unknown_sensor_is_nobodys(door: Door, two_tenants: Tenants) -> None:
    door.door.take_counts(door.tenant, rules.read_counts_json(
        b'{"counts":[{"sensor":"nobodys","start":"2026-03-02T09:00:00Z","end":"2026-03-02T10:00:00Z","entries":1,'
        b'"exits":1}, 7, {"sensor": 7}, {"sensor": "door", "start": 7}]}'
    ))  # fmt: skip
    door.process()
    assert [tally[4] for tally in door.days(TALLY)] == [1]
    assert door.database.read(two_tenants[1], "SELECT FROM quality_days") == []


def test_a_part_that_is_delivered_twice_is_tallied_once(door: Door) -> None:
    door.door.take_counts(door.tenant, rules.read_counts_json(
        b'{"counts":[{"sensor":"door","start":"2026-03-02T09:00:00Z","end":"2026-03-02T10:00:00Z","entries":1,'
        b'"exits":1}]}'
    ))  # fmt: skip
    door._queue.messages *= 3
    door.process()
    assert door.days("received, duplicates") == [(1, 0)]


def test_days_are_scored_once_and_late_data_scores_its_own_day_anew(door: Door) -> None:
    for ahead in range(4):
        door.push_csv("door", door.day(ahead, range(18) if ahead == 2 else range(24)))
    scored = door.score()
    assert scored > 4  # nothing came since
    assert door.score() == 0
    before = door.days("score, findings, scored_at")[:4]
    assert [score for score, *_ in before] == [100, 100, 91, 100]
    assert found(door.database, door.tenant, "gap") == {"door": [(FIRST + timedelta(days=2),) * 2]}
    door.push_csv("door", door.day(2, range(18, 24)))
    assert door.score() == 1
    after = door.days("score, findings, scored_at")[:4]
    assert [(one[0], one[1]) for one in after] == [(100, [])] * 4
    assert [one[2] for one in after][:2] == [one[2] for one in before][:2]
    assert found(door.database, door.tenant, "gap") == {}


def test_days_without_anything_are_missing_up_to_yesterday_and_found_when_they_come(door: Door) -> None:
    for ahead in (0, 1, 4):
        door.push_csv("door", door.day(ahead))
    door.score()
    runs = found(door.database, door.tenant, "missing_day")["door"]
    assert runs[0] == (FIRST + timedelta(days=2), FIRST + timedelta(days=3))
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    assert abs(runs[1][1] - yesterday) <= timedelta(days=1)
    ((status,),) = door.database.read(
        door.tenant, "SELECT status FROM quality_incidents WHERE kind = 'missing_day' AND last_day > '2026-04-01'"
    )
    assert status == "open"
    door.push_csv("door", door.day(2) + door.day(3))
    assert door.score() == 2
    assert found(door.database, door.tenant, "missing_day")["door"] == runs[1:]
    ((reason,),) = door.database.read(
        door.tenant, "SELECT reason FROM quality_incidents WHERE kind = 'missing_day' AND first_day < '2026-03-05'"
    )
    assert reason == "mended"


def test_incidents_are_told_once_as_they_open_and_once_as_they_close(database: Database, two_tenants: Tenants) -> None:
    now = datetime(2026, 3, 5, 6, tzinfo=UTC)
    database.clock = lambda: now
    door = Door(database, two_tenants[0])

    def told() -> list[tuple[str, str, str, str]]:
        rows = door.database.read(
            door.tenant, "SELECT type, data FROM outbox WHERE type LIKE 'sensor.incident%%' ORDER BY id"
        )
        assert {(data["sensor_id"], data["site_id"]) for _, data in rows} <= {(str(door.sensor), str(door.site))}
        return [(kind[16:], data["kind"], data["last_day"][8:], data["reason"]) for kind, data in rows]

    for ahead in (0, 1):
        door.push_csv("door", door.day(ahead))
    door.score()
    assert told() == [("opened", "missing_day", "04", "")]
    for _ in range(2):  # it goes on, and is scored again and again
        now += timedelta(days=1)
        door.score()
        door.score()
    assert len(told()) == 1
    door.push_csv("door", door.day(5))
    now += timedelta(days=1)
    door.score()
    assert told()[1:] == [("closed", "missing_day", "06", "ended")]
    door.push_csv("door", door.day(2) + door.day(3) + door.day(4))
    door.score()
    assert len(told()) == 2
    door.push_csv("door", door.day(6, range(12)))  # found once it is over: both at once
    door.push_csv("door", door.day(7))
    now += timedelta(days=2)
    door.score()
    assert told()[2:] == [("opened", "gap", "08", ""), ("closed", "gap", "08", "ended")]


def test_a_sensor_that_was_away_for_years_missed_no_days(door: Door) -> None:
    with door.database.transaction(door.tenant) as tx:
        tx.run("UPDATE sensors SET status = 'retired'")
    door.push_csv("door", [("2020-03-02 10:00", 1, 1)])
    door.push_csv("door", door.day(0))
    assert door.score() == 2


def test_counts_that_are_calibrated_anew_have_their_days_scored_anew(door: Door) -> None:
    with door.database.transaction(door.tenant) as tx:
        tx.run("UPDATE sensors SET status = 'retired'")
    door.push_csv("door", door.day(0) + door.day(1))
    assert door.score() == 2
    keep(door.database, door.tenant, door.sensor, doubled())
    ask = Recalibration(RawRepository(uuid7), SensorRepository(door.database), uuid7, touch=TallyRepository.touch)
    start = datetime(2026, 3, 2, 12, tzinfo=UTC)
    with door.database.transaction(door.tenant) as tx:
        ask(tx, SensorId(door.sensor), start, start + timedelta(hours=2))
    assert door.score() == 1


def test_standings_of_counters_are_tallied_too(door: Door) -> None:
    with door.database.transaction(door.tenant) as tx:
        tx.run("UPDATE sensors SET status = 'retired'")
    cumulative = Setup(counting="cumulative", times="local", csv=known(door.sensor, "").profile.setup.csv)
    other = known(door.sensor, "Europe/Berlin")
    line = Line(
        door.database, door.tenant,
        {"door": type(other)(other.id, type(other.profile)("Europe/Berlin", 60, cumulative))},
    )  # fmt: skip
    rows = [(f"2026-03-02 {hour:02d}:00", 100 * hour, 90 * hour) for hour in range(24)]
    line.push_csv("door", rows)
    line.push_csv("door", rows[:5])
    assert door.days(TALLY)[0][0] >= 28
    assert sum(day[1] for day in door.days(TALLY)) == 5


def test_scores_and_incidents_are_shown_to_their_tenant_alone(door: Door, two_tenants: Tenants) -> None:
    globex = two_tenants[1]
    door.push_csv("door", door.day(0, range(12)) + door.day(1))
    door.score()
    quality = door.quality()
    shown = quality.days(door.tenant, door.sensor, FIRST, FIRST + timedelta(days=1))
    assert b'"gap"' in shown
    with pytest.raises(SensorNotFound):
        quality.days(globex, door.sensor, FIRST, FIRST)
    (gap,) = quality.incidents(door.tenant, Wanted(kind=Finding.GAP, sensor=door.sensor), after=None, limit=9)
    assert (gap.site_id, gap.days, gap.status) == (door.site, 1, "closed")
    assert "2026-03-02" in gap.suggestion
    assert quality.incidents(globex, Wanted(), after=None, limit=9) == []
    with pytest.raises(WrongDays):
        quality.days(door.tenant, door.sensor, FIRST, FIRST - timedelta(days=1))
    with pytest.raises(WrongDays):
        quality.days(door.tenant, door.sensor, FIRST, FIRST + timedelta(days=400))


def counts(door: Door, *rows: tuple[str, str, int]) -> None:
    """Counts by UTC times, as JSON."""
    said = [
        {"sensor": "door", "start": start, "end": end, "entries": people, "exits": people}
        for start, end, people in rows
    ]
    door.door.take_counts(door.tenant, rules.read_counts_json(msgspec.json.encode({"counts": said})))
    door.process()


def told_of(door: Door, kind: Finding) -> list[tuple[str, str]]:
    found = door.quality().incidents(door.tenant, Wanted(sensor=door.sensor, kind=kind), after=None, limit=10)
    return [(one.suggestion, one.reason) for one in found]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_intervals_of_a_line_that_overlap_are_found_in_any_order_and_mended(door: Door, order: tuple[int, int]) -> None:
    both = [("2026-03-03T13:00:00Z", "2026-03-03T14:00:00Z", 30), ("2026-03-03T13:20:00Z", "2026-03-03T13:50:00Z", 40)]
    door.push_csv("door", [*door.day(0), *door.day(1, range(14)), *door.day(1, range(15, 24))])
    for one in order:
        counts(door, both[one])
    door.score()
    day, score, parts, findings = door.days("day, score, parts, findings")[1]
    assert (day, findings) == (FIRST + timedelta(days=1), ["overlap"])
    assert (score, parts["duplicates"], parts["gaps"]) == (98, 90, 100)
    [(words, reason)] = told_of(door, Finding.OVERLAP)
    assert (reason, "2026-03-03 (2026-03-03 14:20 to 14:50)" in words) == ("ended", True)
    counts(door, (*both[1][:2], 0))
    door.score()
    [(words, reason)] = told_of(door, Finding.OVERLAP)
    assert (reason, "14:20" in words) == ("mended", False)


def test_seconds_of_a_devices_clock_are_no_overlap(door: Door) -> None:
    door.push_csv("door", door.day(0))
    counts(
        door, ("2026-03-03T13:00:00Z", "2026-03-03T13:15:02Z", 3), ("2026-03-03T13:15:00Z", "2026-03-03T13:30:00Z", 4)
    )
    door.score()
    assert told_of(door, Finding.OVERLAP) == []


def test_a_number_that_cannot_be_is_found_on_the_first_day(door: Door) -> None:
    counts(door, ("2026-03-03T10:45:00Z", "2026-03-03T11:00:00Z", 450_000))
    door.score()
    [(words, _)] = told_of(door, Finding.JUMP)
    assert "300 a minute" in words
    assert {parts["jumps"] for _, parts in door.days("day, parts") if "jumps" in parts} >= {0}
