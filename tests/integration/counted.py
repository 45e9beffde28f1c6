"""Pushes through the real door, whose queue is a list, and through the real processor."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

import msgspec

from shared.measurements.repository.raw import RawRepository
from shared.measurements.service import Processor
from shared.quality.repository.days import DayRepository
from shared.quality.repository.incidents import IncidentRepository
from shared.quality.repository.tallies import TallyRepository
from shared.quality.service.scoring import Scoring
from shared.quality.service.tallies import Tallies
from shared.sensors.gateway import BatchQueue
from shared.sensors.model import Receipt
from shared.sensors.service import Ingest
from shared.sites.model import Columns, Known, Profile, Setup
from shared.vendors.rules import recognise
from shared.vendors.service import Vendors
from tenant_context.clock import utc_now, uuid7
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message
from tenant_context.postgres import Database, Transaction

COLUMNS = Columns(start="time", entries="in", exits="out", time_format="%Y-%m-%d %H:%M")


class Held:
    """A queue that keeps what it is sent, as its consumer would read it."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def send(self, messages: Sequence[Message]) -> None:
        """Keep them."""
        self.messages += [msgspec.json.decode(message.encode(), type=Message) for message in messages]


class Unlimited:
    """No limit of rows."""

    def take(self, _tenant: UUID, _limit: int | None, _rows: int) -> dict[str, str]:
        """Take them."""
        return {}

    def give_back(self, _tenant: UUID, _rows: int) -> None:
        """Nothing was taken."""


class Line:
    """One tenant's way from a device's push to rows, and to scores."""

    def __init__(self, database: Database, tenant: TenantContext, known: Mapping[str, Known]) -> None:
        self.database = database
        self.tenant = tenant
        queue: Any = Held()
        self._queue: Held = queue

        def look(_tenant: TenantContext, references: set[str]) -> dict[str, Known]:
            return {one: known[one] for one in references if one in known}

        door = Ingest(
            lambda *_: {}, look, BatchQueue(queue, "counts"), BatchQueue(queue, "transactions"), utc_now, uuid7,
            rows=Unlimited(),
        )  # fmt: skip
        self.door = door
        self._vendors = Vendors(door, look)
        self._processor = Processor(
            database, RawRepository(uuid7), "counts", RawRepository.write_counts,
            heeds=(Tallies(TallyRepository()),),
        )  # fmt: skip

    def push_csv(self, sensor: str, rows: Iterable[tuple[str, int, int]]) -> Receipt:
        """A CSV of local times, entries and exits, as a device's own export; answers what the door said."""
        text = "time,in,out\n" + "".join(f"{time},{entries},{exits}\n" for time, entries, exits in rows)
        taken = self._vendors.take(self.tenant, lambda columns: recognise.read(text.encode(), None, columns), sensor)
        assert taken.receipt is not None
        self.process()
        return taken.receipt

    def process(self) -> None:
        """Write what is queued."""
        for message in self._queue.messages:
            self._processor(self.tenant, message)
        self._queue.messages.clear()

    def score(self) -> int:
        """Run the job until nothing waits; answers how many days it scored."""
        scored = 0
        while (done := self._score_once()) > 0:
            scored += done
        return scored

    def _score_once(self) -> int:
        scoring = Scoring(DayRepository(), IncidentRepository(), uuid7)
        with self.database.transaction(self.tenant) as tx:
            return int(scoring(tx)["days"])


def add_site(tx: Transaction, zone: str = "UTC") -> UUID:
    """A store."""
    site = uuid7()
    tx.run(
        "INSERT INTO sites (tenant_id, id, name, code, time_zone, created_at, updated_at)"
        " VALUES (%s, %s, 'Main', %s, %s, now(), now())",
        (tx.tenant.tenant, site, site.hex, zone),
    )
    return site


def add_zone(tx: Transaction, store: UUID) -> UUID:
    """A zone of a store, whose own clock is nobody's."""
    zone = uuid7()
    tx.run(
        "INSERT INTO sites (tenant_id, id, name, code, time_zone, kind, created_at, updated_at)"
        " VALUES (%s, %s, 'Foyer', %s, 'UTC', 'zone', now(), now())",
        (tx.tenant.tenant, zone, zone.hex),
    )
    tx.run("INSERT INTO site_tree VALUES (%s, %s, 'zone', %s, 'site', now())", (tx.tenant.tenant, zone, store))
    return zone


def add_region(tx: Transaction, *stores: UUID) -> UUID:
    """A region with some stores."""
    region = uuid7()
    tx.run(
        "INSERT INTO sites (tenant_id, id, name, code, time_zone, kind, created_at, updated_at)"
        " VALUES (%s, %s, 'North', %s, 'UTC', 'region', now(), now())",
        (tx.tenant.tenant, region, region.hex),
    )
    for store in stores:
        tx.run("INSERT INTO site_tree VALUES (%s, %s, 'site', %s, 'region', now())", (tx.tenant.tenant, store, region))
    return region


def add_sensor(tx: Transaction, site: UUID, serial: str, interval: int = 60, zone: UUID | None = None) -> UUID:
    """A people counter of a store."""
    sensor = uuid7()
    tx.run(
        "INSERT INTO sensors (tenant_id, id, site_id, zone_id, name, serial, kind, interval_minutes, created_at,"
        " updated_at) VALUES (%s, %s, %s, %s, %s, %s, 'line', %s, now(), now())",
        (tx.tenant.tenant, sensor, site, zone, serial, serial, interval),
    )
    return sensor


def known(sensor: UUID, zone: str, interval: int = 60) -> Known:
    """What the door knows of a sensor whose exports are CSV in local times."""
    return Known(sensor, Profile(zone, interval, Setup(times="local", csv=COLUMNS)))


def found(database: Database, tenant: TenantContext, kind: str) -> dict[str, list[tuple[date, date]]]:
    """Incidents of a kind as first and last day, by the sensor's name."""
    rows = database.read(
        tenant,
        "SELECT n.name, q.first_day, q.last_day FROM quality_incidents q JOIN sensors n ON n.id = q.sensor_id"
        " WHERE q.kind = %s AND q.reason <> 'mended' ORDER BY n.name, q.first_day",
        (kind,),
    )
    answer: dict[str, list[tuple[date, date]]] = {}
    for name, first, last in rows:
        answer.setdefault(name, []).append((first, last))
    return answer
