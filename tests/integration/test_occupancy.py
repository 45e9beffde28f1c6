"""Who is inside, and limits that are told of once, on real PostgreSQL, by what arrives through the processor."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from psycopg.types.json import Jsonb

from functions.analytics.schemas.occupancy import OccupancyQuery, capacity, series
from shared.alerts.repository.alerts import AlertRepository
from shared.alerts.repository.rules import RuleRepository
from shared.alerts.repository.watched import WatchedRepository
from shared.alerts.service.judging import Judging, Sources
from shared.alerts.service.watch import Patrol, Watch
from shared.figures.errors import PlaceNotFound
from shared.figures.repository import FigureRepository
from shared.measurements.repository.raw import RawRepository
from shared.measurements.service import Processor
from shared.metrics.model import Ask, Granularity, Metric, Range
from shared.occupancy import service as keeping
from shared.occupancy.errors import NotAStoreOrZone, TooManyLimits, TooManyStores, WrongLimit
from shared.occupancy.model import Now
from shared.occupancy.repository import LimitRepository
from shared.occupancy.service import Limits, Occupancy
from shared.quality.repository.days import DayRepository
from shared.quality.repository.incidents import IncidentRepository
from shared.quality.service.scoring import Scoring
from tenant_context.clock import rfc3339, uuid7
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message
from tenant_context.errors import PreconditionFailed
from tenant_context.postgres import Database
from tests.asking import metrics_of
from tests.integration.counted import add_region, add_sensor, add_site, add_zone

Tenants = tuple[TenantContext, TenantContext]
NOON = datetime(2026, 3, 16, 12, 0, tzinfo=UTC)
QUARTER = timedelta(minutes=15)


class Store:
    """A store with a door, and a clock that stands where a test wants it."""

    def __init__(self, database: Database, tenant: TenantContext) -> None:
        self.database, self.tenant = database, tenant
        self.now = NOON
        database.clock = lambda: self.now
        with database.transaction(tenant) as tx:
            self.site = add_site(tx)
            self.sensor = add_sensor(tx, self.site, "door", 15)
        self.figures, known = FigureRepository(), LimitRepository()
        self.occupancy = Occupancy(self.figures, known)
        self.limits = Limits(self.figures, known, self.occupancy)
        self.judging = Judging(Sources(RuleRepository(), AlertRepository(), self.figures, known), uuid7)
        watch = Watch(database, WatchedRepository(), self.limits, self.judging)
        self.tills = Processor(
            database, RawRepository(uuid7), "transactions", RawRepository.write_transactions, heeds=(watch,)
        )
        self.processor = Processor(database, RawRepository(uuid7), "counts", RawRepository.write_counts, heeds=(watch,))

    def push(self, *counts: tuple[datetime, int, int], sensor: UUID | None = None, beat: bool = False) -> Message:
        """Counts of quarters of an hour, through the processor; answers the message."""
        who = str(sensor or self.sensor)
        rows: list[Any] = [
            [who, "", start.isoformat(), (start + QUARTER).isoformat(), entries, exits]
            for start, entries, exits in counts
        ]
        data = self._part(rows)
        if beat:
            data["beats"] = [[who, counts[-1][0].isoformat() if counts else None, None]]
        message = Message(self.tenant.tenant, "test", "counts", data)
        self.processor(self.tenant, message)
        return message

    def sell(self, *sold: tuple[datetime, int, str], site: UUID | None = None) -> None:
        """Receipts of one piece each: when, how much, in which currency."""
        rows = [
            [str(site or self.site), uuid7().hex, at.isoformat(), currency, str(total), None, [["sku", 1, str(total)]]]
            for at, total, currency in sold
        ]
        self.tills(self.tenant, Message(self.tenant.tenant, "test", "transactions", self._part(rows)))

    def _part(self, rows: list[Any]) -> dict[str, Any]:
        return {
            "batch": str(uuid7()), "received_at": self.now.isoformat(), "rows_in_batch": len(rows), "duplicates": 0,
            "rejected_in_batch": 0, "part": 0, "parts": 1, "rows": rows, "refused": [],
        }  # fmt: skip

    def patrol(self) -> dict[str, Any]:
        """The job."""
        with self.database.transaction(self.tenant) as tx:
            return Patrol(self.limits, self.judging)(tx)

    def inside(self, site: UUID | None = None) -> Now:
        """Who is inside now."""
        with self.database.transaction(self.tenant) as tx:
            return self.occupancy.now(tx, site or self.site)

    def limit(self, capacity: int, clear_at: int, version: int = 0, site: UUID | None = None) -> None:
        """Say how many may be inside."""
        with self.database.transaction(self.tenant) as tx:
            self.limits.keep(tx, site or self.site, capacity, clear_at, version)

    def told(self, *kinds: str) -> list[tuple[str, Any]]:
        """What was emitted of some kinds, in order."""
        rows: Sequence[Any] = self.database.read(
            self.tenant, "SELECT type, data FROM outbox WHERE type = ANY (%s) ORDER BY id", (list(kinds),)
        )
        return [(kind, data) for kind, data in rows]


@pytest.fixture
def store(database: Database, two_tenants: Tenants) -> Store:
    return Store(database, two_tenants[0])


LIMITS = ("occupancy.limit_reached", "occupancy.limit_cleared")


def test_today_is_corrected_by_what_the_weeks_before_left_over(store: Store) -> None:
    for ago in range(1, 11):
        store.push((NOON - timedelta(days=ago), 107, 93))
    store.push((NOON - timedelta(hours=2), 300, 100), (NOON - timedelta(hours=1), 50, 150))
    now = store.inside()
    assert (now.entries, now.exits, now.raw, now.bias) == (350, 250, 100, 0.07)
    assert now.occupancy == 58  # 100 less 7 % of 600
    assert now.as_of == NOON - timedelta(minutes=45)
    assert now.since == NOON.replace(hour=0)


@pytest.mark.parametrize("days", [1, 6])
def test_an_impossible_count_of_yesterday_moves_nobody_today_and_hides_no_limit(store: Store, days: int) -> None:
    for ago in range(2, days + 1):
        store.push((NOON - timedelta(days=ago), 107, 93))
    store.push((NOON - timedelta(days=1), 900_000, 93))
    with store.database.transaction(store.tenant) as tx:
        tx.run(
            "INSERT INTO quality_days (tenant_id, sensor_id, day, touched_at) VALUES (%s, %s, %s, %s)",
            (store.tenant.tenant, store.sensor, (NOON - timedelta(days=1)).date(), NOON),
        )
        Scoring(DayRepository(), IncidentRepository(), uuid7)(tx)
    assert store.database.read(store.tenant, "SELECT 'jump' = ANY (findings) FROM quality_days") == [(True,)]
    store.limit(20, 10)
    store.push((NOON - timedelta(hours=1), 65, 32))
    now = store.inside()
    assert (now.raw, now.bias) == (33, 0.07 if days > 1 else 0.0)
    assert now.occupancy == (26 if days > 1 else 33)
    assert [kind for kind, _ in store.told(*LIMITS)] == ["occupancy.limit_reached"]
    with store.database.transaction(store.tenant) as tx:
        points = store.occupancy.series(tx, store.site, NOON.replace(hour=0), NOON, QUARTER).points
    assert max(one.occupancy or 0 for one in points) == now.occupancy


def test_days_that_are_over_end_with_nobody_and_today_is_null_where_nothing_came(store: Store) -> None:
    yesterday = NOON - timedelta(days=1)
    store.push((yesterday, 100, 0), (yesterday + 8 * QUARTER, 0, 86), (NOON - timedelta(hours=1), 5, 0))
    with store.database.transaction(store.tenant) as tx:
        points = store.occupancy.series(
            tx, store.site, yesterday.replace(hour=0), NOON + timedelta(days=1), QUARTER
        ).points
    by_start = {one.start: one for one in points}
    assert by_start[yesterday].raw == 100
    assert by_start[yesterday].occupancy == 92
    assert by_start[NOON.replace(hour=0) - QUARTER].occupancy == 0
    assert by_start[NOON.replace(hour=0) - QUARTER].raw == 14
    assert by_start[NOON - timedelta(hours=1)].occupancy == 5
    assert by_start[NOON - QUARTER].occupancy is None
    assert max(by_start) < NOON


def test_larger_places_are_the_sum_of_their_stores_each_by_its_own_day(store: Store) -> None:
    with store.database.transaction(store.tenant) as tx:
        far, quiet, elsewhere = add_site(tx, "Asia/Kolkata"), add_site(tx), add_site(tx)
        sensors = [store.sensor, add_sensor(tx, far, "far", 15), add_sensor(tx, elsewhere, "elsewhere", 15)]
        add_sensor(tx, quiet, "quiet", 15)
        region = add_region(tx, store.site, far, quiet)
    for ago in range(1, 11):
        store.push((NOON - timedelta(days=ago), 107, 93))
    midnight = NOON.replace(hour=18, minute=30) - timedelta(days=1)  # of Kolkata
    store.push((NOON - timedelta(hours=2), 350, 250))
    store.push((midnight - QUARTER, 900, 0), (midnight, 30, 0), (NOON - QUARTER, 0, 10), sensor=sensors[1])
    store.push((NOON - QUARTER, 5, 0), sensor=sensors[2])
    one, other, whole = store.inside(), store.inside(far), store.inside(region)
    assert (one.raw, one.occupancy, other.raw) == (100, 58, 20)
    assert (whole.raw, whole.occupancy, whole.entries, whole.exits) == (120, 78, 380, 260)
    assert (whole.stores, whole.known, whole.site, whole.since) == (3, 2, region, None)
    assert (whole.as_of, whole.freshness) == (NOON - timedelta(minutes=105), NOON)
    with store.database.transaction(store.tenant) as tx:
        everybody = store.occupancy.everybody(tx)
    assert (everybody.raw, everybody.stores, everybody.known, everybody.site) == (125, 4, 3, None)


def test_coverage_is_what_was_counted_of_the_day_up_to_the_newest(store: Store) -> None:
    with store.database.transaction(store.tenant) as tx:
        back = add_sensor(tx, store.site, "back", 15)
        region = add_region(tx, store.site)
    start = NOON.replace(hour=0)
    store.push(*((start + n * QUARTER, 1, 0) for n in range(40)))
    store.push(*((start + n * QUARTER, 1, 0) for n in range(20)), sensor=back)
    assert (store.inside().coverage, store.inside(region).coverage) == (0.75, 0.75)


def test_a_time_tells_how_fresh_it_is_and_how_much_of_it_was_counted(store: Store) -> None:
    with store.database.transaction(store.tenant) as tx:
        zone = add_zone(tx, store.site)
        inner = add_sensor(tx, store.site, "inner", 15, zone)
    start = NOON.replace(hour=0)
    store.push(*((start + n * QUARTER, 1, 0) for n in range(46)))
    store.push(*((start + n * QUARTER, 1, 0) for n in range(24)), sensor=inner)
    store.now = NOON + timedelta(minutes=14)

    def told(since: datetime, until: datetime, site: UUID = store.site) -> tuple[Any, float]:
        query = OccupancyQuery.model_validate({"from": rfc3339(since), "to": rfc3339(until)})
        with store.database.transaction(store.tenant) as tx:
            found = msgspec.json.decode(series(query, store.occupancy.series(tx, site, since, until, QUARTER)))
        return found["freshness"], found["coverage"]

    fresh = rfc3339(NOON - timedelta(minutes=30))
    assert told(start, NOON) == (fresh, 0.729)  # 70 of 96 quarters
    assert told(start, start + timedelta(days=1)) == (fresh, 0.729)  # nothing of it is missing before it comes
    assert told(start + timedelta(minutes=1), start + timedelta(hours=6)) == (fresh, 1.0)
    assert told(NOON - timedelta(hours=1), NOON, zone) == (rfc3339(start + timedelta(hours=6)), 0.0)
    assert told(NOON + timedelta(hours=1), NOON + timedelta(hours=2))[1] == 0.0


def test_too_many_stores_are_not_added_up(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "MOST_STORES", 0)
    with pytest.raises(TooManyStores), store.database.transaction(store.tenant) as tx:
        store.occupancy.everybody(tx)


def test_a_zone_is_counted_by_its_own_sensors(store: Store) -> None:
    with store.database.transaction(store.tenant) as tx:
        zone = add_zone(tx, store.site)
        inner = add_sensor(tx, store.site, "inner", 15, zone)
    store.limit(30, 20, site=zone)
    store.push((NOON - QUARTER, 10, 0))
    store.push((NOON - QUARTER, 40, 5), sensor=inner)
    assert (store.inside().raw, store.inside(zone).raw) == (45, 35)
    assert [(kind, data["site_id"], data["occupancy"]) for kind, data in store.told(*LIMITS)] == [
        ("occupancy.limit_reached", str(zone), 35)
    ]


def test_a_zones_day_is_its_stores(store: Store) -> None:
    hours = {"week": {day: [{"from": "10:00", "to": "02:00"}] for day in ("sat", "sun", "mon")}}
    with store.database.transaction(store.tenant) as tx:
        tx.run("UPDATE sites SET time_zone = 'Europe/Berlin', hours = %s", (Jsonb(hours),))
        zone = add_zone(tx, store.site)
        inner = add_sensor(tx, store.site, "inner", 15, zone)
    store.limit(30, 20, site=zone)
    # Sunday's people leave after midnight in Berlin; it closes at two, which is one o'clock of UTC.
    midnight = NOON.replace(hour=0) - timedelta(hours=1)
    store.push((midnight - QUARTER, 70, 0), (midnight + QUARTER, 0, 10), (NOON - QUARTER, 5, 0), sensor=inner)
    now = store.inside(zone)
    assert (now.time_zone, now.since, now.raw) == ("Europe/Berlin", NOON.replace(hour=1), 5)
    with store.database.transaction(store.tenant) as tx:
        points = store.occupancy.series(tx, zone, midnight, midnight + timedelta(hours=3), QUARTER).points
    assert [one.raw for one in points] == [70, *[60] * 7, *[0] * 4]
    store.now = NOON.replace(hour=23) - QUARTER
    store.push((store.now - QUARTER, 40, 0), sensor=inner)
    store.now = NOON.replace(hour=23) + QUARTER  # past midnight in Berlin; Monday's opening goes on
    store.patrol()
    assert [kind for kind, _ in store.told(*LIMITS)] == ["occupancy.limit_reached"]


def test_a_limit_is_told_once_as_it_is_reached_and_once_as_it_is_cleared(store: Store) -> None:
    store.limit(100, 80)
    moment = NOON - timedelta(hours=3)
    for step, (entries, exits) in enumerate([(60, 0), (39, 0), (1, 0), (5, 0), (0, 20), (0, 4), (0, 1), (30, 0)]):
        message = store.push((moment + step * QUARTER, entries, exits))
        store.processor(store.tenant, message)  # delivered twice
        store.push((moment + step * QUARTER, entries, exits))  # pushed twice
        store.patrol()
    found = [(kind, data["occupancy"], data["measured_at"]) for kind, data in store.told(*LIMITS)]
    assert found == [
        ("occupancy.limit_reached", 100, "2026-03-16T09:45:00Z"),
        ("occupancy.limit_cleared", 80, "2026-03-16T10:45:00Z"),
        ("occupancy.limit_reached", 110, "2026-03-16T11:00:00Z"),
    ]


def test_what_comes_late_raises_no_limit(store: Store) -> None:
    store.limit(100, 80)
    store.push((NOON - QUARTER, 10, 0))
    store.push((NOON - timedelta(hours=2), 500, 0))
    store.push(*((NOON - timedelta(days=ago), 900, 0) for ago in range(1, 30)))
    store.patrol()
    assert store.told(*LIMITS) == []
    store.push((NOON, 0, 0))  # but it is in what is measured next
    assert [data["occupancy"] for _, data in store.told(*LIMITS)] == [510]


def test_a_limit_that_was_reached_is_cleared_when_the_day_is_over(store: Store) -> None:
    store.limit(100, 80)
    store.push((NOON - QUARTER, 120, 0))
    store.now = NOON + timedelta(days=1)
    store.patrol()
    store.patrol()
    assert [(kind, data["measured_at"]) for kind, data in store.told(*LIMITS)][1:] == [
        ("occupancy.limit_cleared", "2026-03-17T00:00:00Z")
    ]


def test_an_arrival_whose_judging_was_lost_is_taken_up_by_the_job(store: Store) -> None:
    store.limit(100, 80)
    plain = Processor(store.database, RawRepository(uuid7), "counts", RawRepository.write_counts)
    store.processor, watched = plain, store.processor
    store.push((NOON - QUARTER, 120, 0))
    assert store.told(*LIMITS) == []
    assert store.patrol()["limits"] == 1
    assert len(store.told(*LIMITS)) == 1
    store.processor = watched


def test_limits_are_kept_by_version_and_only_of_stores_and_zones(store: Store, two_tenants: Tenants) -> None:
    store.limit(100, 80)
    with pytest.raises(PreconditionFailed):
        store.limit(90, 80)
    store.limit(90, 80, version=1)
    with pytest.raises(WrongLimit):
        store.limit(80, 80, version=2)
    with pytest.raises(PlaceNotFound):
        store.limit(10, 5, site=uuid7())
    with store.database.transaction(store.tenant) as tx:
        tx.run("UPDATE sites SET name = name")
        region = uuid7()
        tx.run(
            "INSERT INTO sites (tenant_id, id, name, code, time_zone, kind, created_at, updated_at)"
            " VALUES (%s, %s, 'North', 'north', 'UTC', 'region', now(), now())", (store.tenant.tenant, region),
        )  # fmt: skip
    with pytest.raises(NotAStoreOrZone):
        store.limit(10, 5, site=region)
    with pytest.raises(PlaceNotFound), store.database.transaction(two_tenants[1]) as tx:
        store.limits.keep(tx, store.site, 10, 5, 0)
    with store.database.transaction(store.tenant) as tx:
        store.limits.forget(tx, store.site)
        store.limits.forget(tx, store.site)
    assert [kind for kind, _ in store.told("occupancy.limit_removed")] == ["occupancy.limit_removed"]


def test_a_tenant_has_so_many_limits_and_no_more(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "AT_MOST", 0)
    with pytest.raises(TooManyLimits):
        store.limit(100, 80)


def test_a_sensors_health_is_told_once_a_change(store: Store) -> None:
    def told() -> list[tuple[Any, Any]]:
        return [(data["from"], data["to"]) for _, data in store.told("sensor.health_changed")]

    for ahead in range(4):
        store.now = NOON + ahead * QUARTER
        message = store.push((store.now - QUARTER, 1, 1), beat=True)
        store.processor(store.tenant, message)
    store.patrol()
    assert told() == [(None, "online")]
    store.now += timedelta(minutes=40)
    store.patrol()
    store.patrol()
    store.now += timedelta(hours=1)
    store.patrol()
    store.patrol()
    assert told()[1:] == [("online", "late"), ("late", "offline")]
    store.push((store.now - QUARTER, 1, 1), beat=True)
    assert told()[3:] == [("offline", "online")]
    with store.database.transaction(store.tenant) as tx:
        tx.run("UPDATE sensors SET status = 'retired'")
    store.now += timedelta(days=1)
    store.patrol()
    assert len(told()) == 4


def test_everything_is_fresh_up_to_where_the_newest_quarter_ends(store: Store) -> None:
    store.limit(20, 10)
    store.push((NOON - timedelta(hours=1), 5, 0))
    end = rfc3339(NOON - timedelta(minutes=45))
    metrics = metrics_of(store.database, clock=lambda: NOON)
    span = Range(NOON - timedelta(days=1), NOON, Granularity.DAY)
    told = msgspec.json.decode(metrics.series(store.tenant, Ask(store.site, (Metric.FOOTFALL,), span)).content)
    assert told["freshness"] == end
    with store.database.transaction(store.tenant) as tx:
        limit: Any = capacity(store.site, store.limits.show(tx, store.site))
    inside = store.inside()
    assert [rfc3339(one) for one in (inside.as_of, inside.freshness, limit.measured_until) if one] == [end] * 3
