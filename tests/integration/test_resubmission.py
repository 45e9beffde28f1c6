"""A refused row is sent again: mended, or because its sensor is there by now; and taken once."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from shared.measurements.errors import AlreadyResubmitted, RejectedNotFound
from shared.measurements.model import Resubmitted
from shared.measurements.repository.batches import BatchRepository
from shared.measurements.repository.raw import RawRepository
from shared.measurements.service import Processor, Resubmission
from shared.sites.model import Columns, Known, Line, Profile, Setup
from tenant_context.clock import uuid7
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message
from tenant_context.errors import Invalid
from tenant_context.postgres import Database
from tests.functions.door import COUNTS, OWN, VENDORS, World
from tests.integration.test_ingest_line import add_sensor, footfall, part, process
from tests.shared.vendors import samples

Tenants = tuple[TenantContext, TenantContext]
ROW: dict[str, Any] = {
    "sensor": "door", "start": "2026-03-02T09:00:00Z", "end": "2026-03-02T09:15:00Z", "entries": 4, "exits": 1,
}  # fmt: skip


@pytest.fixture
def sensor(database: Database, two_tenants: Tenants) -> UUID:
    return add_sensor(database, two_tenants[0])[1]


def refuse(database: Database, tenant: TenantContext, content: object) -> UUID:
    """Let a row be refused; answers its id."""
    refused = {"row": 0, "field": "sensor", "code": "unknown-sensor", "message": "is none", "content": content}
    process(database, tenant, {**part([]), "refused": [refused]})
    ((_, found),) = BatchRepository(database).rejected(tenant, batch=None, after=None, limit=1)
    return found


def resubmit(
    database: Database,
    tenant: TenantContext,
    rejected: UUID,
    sensor: UUID,
    row: object = None,
    *,
    setup: Setup | None = None,
    name: str = "door",
    zone: str = "UTC",
) -> Resubmitted:
    known = {name: Known(sensor, Profile(zone, 15, setup or Setup()))}

    def look(_: TenantContext, references: set[str]) -> dict[str, Known]:
        return {name: one for name, one in known.items() if name in references}

    resubmission = Resubmission(RawRepository(uuid7), look, lambda *_: {}, uuid7)
    with database.transaction(tenant) as tx:
        return resubmission(tx, rejected, row)  # type: ignore[arg-type]


def test_a_row_is_taken_as_it_was_kept_once_its_sensor_is_there(
    database: Database, two_tenants: Tenants, sensor: UUID
) -> None:
    acme, _ = two_tenants
    rejected = refuse(database, acme, ROW)
    taken = resubmit(database, acme, rejected, sensor)
    assert (taken.stored, footfall(database, acme)) == (1, (4, 1, 15))
    shown = msgspec.json.decode(BatchRepository(database).show(acme, taken.batch))
    assert (shown["state"], shown["rows"], shown["stored"]) == ("done", 1, 1)
    ((listed, _),) = BatchRepository(database).rejected(acme, batch=None, after=None, limit=1)
    assert msgspec.json.decode(listed)["resubmitted_as"] == str(taken.batch)
    with pytest.raises(AlreadyResubmitted):
        resubmit(database, acme, rejected, sensor)
    assert footfall(database, acme) == (4, 1, 15)


def test_a_mended_row_is_taken_and_one_that_is_still_wrong_is_told(
    database: Database, two_tenants: Tenants, sensor: UUID
) -> None:
    acme, _ = two_tenants
    rejected = refuse(database, acme, {**ROW, "entries": -1})
    for row, field in ((None, "/row/entries"), ({**ROW, "sensor": "x"}, "/row/sensor"), ({}, "/row/sensor")):
        with pytest.raises(Invalid) as raised:
            resubmit(database, acme, rejected, sensor, row)
        assert raised.value.errors[0].pointer == field
    assert resubmit(database, acme, rejected, sensor, {**ROW, "entries": 9}).stored == 1
    assert footfall(database, acme) == (9, 1, 15)


def test_it_is_read_as_its_sensors_setup_says(database: Database, two_tenants: Tenants, sensor: UUID) -> None:
    acme, _ = two_tenants
    cumulative = Setup(counting="cumulative")
    for end, entries in (("09:15", 10), ("09:30", 14)):
        row = {**ROW, "end": f"2026-03-02T{end}:00Z", "entries": entries}
        resubmit(database, acme, refuse(database, acme, row), sensor, setup=cumulative)
    assert footfall(database, acme) == (4, 0, 15)


def test_globex_cannot_resubmit_what_acme_was_refused(database: Database, two_tenants: Tenants, sensor: UUID) -> None:
    acme, globex = two_tenants
    rejected = refuse(database, acme, ROW)
    with pytest.raises(RejectedNotFound):
        resubmit(database, globex, rejected, sensor, ROW)
    assert resubmit(database, acme, rejected, sensor).stored == 1


@pytest.mark.parametrize("content", [None, "text", 5, [], {"truncated": "{"}, {"sensor": ["\ufffd"]}])
def test_whatever_was_kept_is_told_off_or_taken(
    database: Database, two_tenants: Tenants, sensor: UUID, content: object
) -> None:
    acme, _ = two_tenants
    rejected = refuse(database, acme, content)
    with pytest.raises(Invalid):
        resubmit(database, acme, rejected, sensor)
    assert resubmit(database, acme, rejected, sensor, ROW).stored == 1


def test_what_only_the_store_refuses_is_told_off(database: Database, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    refused = {"row": 0, "field": "site", "code": "unknown-site", "message": "is none", "content": {}}
    line = Processor(database, RawRepository(uuid7), "transactions", RawRepository.write_transactions)
    line(acme, Message(acme.tenant, "test", "transactions", {**part([]), "refused": [refused]}))
    ((_, rejected),) = BatchRepository(database).rejected(acme, batch=None, after=None, limit=1)
    many = {"sku": "a", "quantity": "1000000000", "unit_price": "0"}
    sale = {"id": "1", "site": "main", "time": "2026-03-02T09:00:00Z", "currency": "EUR", "total": "1", "lines": [many]}
    site, _ = add_sensor(database, acme)
    resubmission = Resubmission(RawRepository(uuid7), lambda *_: {}, lambda *_: {"main": site}, uuid7)

    def again(row: dict[str, Any]) -> str:
        with pytest.raises(Invalid) as raised, database.transaction(acme) as tx:
            resubmission(tx, rejected, row)
        return raised.value.errors[0].code

    assert again({**sale, "lines": [many] * 150}) == "amount"
    assert again({**sale, "lines": [{**many, "quantity": "0E-99999"}]}) == "too-fine"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shared.sensors.rules.sifting.units_fault", lambda _: None)
        assert again({**sale, "lines": [many] * 150}) == "poison"
    assert database.read(acme, "SELECT count(*) FROM transactions") == [(0,)]
    with database.transaction(acme) as tx:
        assert resubmission(tx, rejected, sale).stored == 1


def refused_at_the_door(
    database: Database, tenant: TenantContext, push: object, path: str = VENDORS, world: World | None = None
) -> list[UUID]:
    """Have the door refuse what it refuses of a push, and the processor keep that; the rows' ids, the first first."""
    world = world or World()
    assert world.post(path, push)[1]["rejected"]
    kept = {**part([]), "refused": world.queue.messages[-1].data["refused"]}
    process(database, tenant, kept)
    rows = BatchRepository(database).rejected(tenant, batch=UUID(kept["batch"]), after=None, limit=9)
    return [found for _, found in sorted(rows, key=lambda one: msgspec.json.decode(one[0])["row"])]


def sent_again(database: Database, tenant: TenantContext, push: object, name: str, sensor: UUID, setup: Setup) -> None:
    """The same push once more, now that there is its sensor."""
    world = World()
    world.sensors[name] = Known(sensor, Profile("Europe/Berlin", 15, setup))
    assert world.post(VENDORS, push)[1]["rejected"] == []
    process(database, tenant, part(world.rows(), at=100))


TURNED = Line(direction="reversed", name="front")
UNKNOWN: list[tuple[Any, str, Setup, tuple[int, int]]] = [
    (samples.VIVOTEK, "0002d1000006", Setup(lines={"Door": TURNED}), (2, 1)),
    (samples.XOVIS_4, "006E02000004", Setup(lines={"7": TURNED}), (6, 5)),
    (samples.IRISYS, "V4D-00000005", Setup(lines={"In": Line(direction="out"), "1": Line(direction="in")}), (1, 2)),
]


@pytest.mark.parametrize(("push", "name", "setup", "counted"), UNKNOWN)
def test_a_vendors_row_is_read_by_the_setup_of_the_sensor_that_was_not_there(
    database: Database, two_tenants: Tenants, sensor: UUID, push: Any, name: str, setup: Setup, counted: tuple[int, int]
) -> None:
    acme, _ = two_tenants
    for rejected in refused_at_the_door(database, acme, push):
        resubmit(database, acme, rejected, sensor, setup=setup, name=name, zone="Europe/Berlin")
    assert footfall(database, acme)[:2] == counted
    sent_again(database, acme, push, name, sensor, setup)
    assert footfall(database, acme)[:2] == counted


def test_standings_that_were_refused_are_standings_when_they_are_sent_again(
    database: Database, two_tenants: Tenants, sensor: UUID
) -> None:
    acme, _ = two_tenants
    for stamp, entries in (("20260301230000", 400), ("20260302100000", 440), ("20260302103000", 444)):
        push = {**samples.AXIS_LIVE, "timestamp": stamp, "in": entries}
        (rejected,) = refused_at_the_door(database, acme, push)
        resubmit(database, acme, rejected, sensor, name="ACCC8E000001", zone="Europe/Berlin")
    # 440 since the midnight of the store, and not 40 since the evening.
    assert footfall(database, acme)[0] == 444


def test_a_register_that_told_no_direction_is_taken_once_its_setup_does(
    database: Database, two_tenants: Tenants, sensor: UUID
) -> None:
    acme, _ = two_tenants
    world = World()
    world.sensors["V4D-00000005"] = Known(sensor, Profile("UTC", 15, Setup()))
    counts = [{"Name": "Line", "LogPeriodValue": 4}]
    push = {**samples.IRISYS, "CountLogs": [{**samples.IRISYS["CountLogs"][0], "Counts": counts}]}
    (rejected,) = refused_at_the_door(database, acme, push, world=world)
    with pytest.raises(Invalid):
        resubmit(database, acme, rejected, sensor, name="V4D-00000005")
    told = Setup(lines={"Line": Line(direction="out")})
    resubmit(database, acme, rejected, sensor, name="V4D-00000005", setup=told)
    assert footfall(database, acme)[:2] == (0, 4)


def test_what_was_turned_round_before_it_was_refused_is_not_turned_again(
    database: Database, two_tenants: Tenants, sensor: UUID
) -> None:
    acme, _ = two_tenants
    turned = Setup(lines={"": Line(direction="reversed")})
    for path, push, name in ((COUNTS, {"counts": [OWN]}, "door"), (VENDORS, samples.AXIS_LIVE, "ACCC8E000001")):
        world = World()
        new = datetime(2026, 3, 2, 9, 16, tzinfo=UTC)
        world.sensors[name] = Known(sensor, Profile("Europe/Berlin", 15, turned), since=new)
        (rejected,) = refused_at_the_door(database, acme, push, path, world)
        resubmit(database, acme, rejected, sensor, setup=turned, name=name)
    assert footfall(database, acme)[:2] == (OWN["exits"], OWN["entries"])
    assert database.read(acme, "SELECT entries, exits, since IS NULL FROM counter_readings") == [(9, 12, False)]


@pytest.mark.parametrize(
    ("setup", "code"),
    [
        (Setup(lines={"Door": Line(direction="ignored")}), "ignored-line"),
        (Setup(lines={"Door": Line(name="all"), "Hall": Line(name="all")}), "shared-line"),
    ],
)
@pytest.mark.parametrize("is_own", [False, True])
def test_a_line_that_is_left_out_or_counted_with_others_is_told_off(
    database: Database, two_tenants: Tenants, sensor: UUID, setup: Setup, code: str, *, is_own: bool
) -> None:
    acme, _ = two_tenants
    push, name = (samples.VIVOTEK, "0002d1000006") if not is_own else ({"counts": [{**OWN, "line": "Door"}]}, "door")
    (rejected,) = refused_at_the_door(database, acme, push, COUNTS if is_own else VENDORS)
    with pytest.raises(Invalid) as raised:
        resubmit(database, acme, rejected, sensor, setup=setup, name=name)
    assert raised.value.errors[0].code == code


def test_a_row_whose_sensor_vanished_is_taken_as_it_was_queued(
    database: Database, two_tenants: Tenants, sensor: UUID
) -> None:
    acme, _ = two_tenants
    gone, turned = uuid7(), Setup(lines={"": Line(direction="reversed")})
    moments = ("2026-03-02T09:00:00Z", "2026-03-02T09:15:00Z")
    process(database, acme, part([[str(gone), "", *moments, 4, 1], [str(gone), "", moments[0], 3, 2, moments[0]]]))
    for _, rejected in BatchRepository(database).rejected(acme, batch=None, after=None, limit=2):
        resubmit(database, acme, rejected, sensor, setup=turned, name=str(gone))
    assert footfall(database, acme)[:2] == (4, 1)
    assert database.read(acme, "SELECT entries, exits FROM counter_readings") == [(3, 2)]


def test_a_vendors_row_is_mended_in_its_own_words_or_written_anew(
    database: Database, two_tenants: Tenants, sensor: UUID
) -> None:
    acme, _ = two_tenants
    setup = Setup(lines={"7": TURNED})
    rejected, anew = (refused_at_the_door(database, acme, samples.XOVIS_4)[0] for _ in range(2))
    ((listed, _), *_) = BatchRepository(database).rejected(acme, batch=None, after=None, limit=1)
    kept = msgspec.json.decode(listed)["content"]
    for wrong, field in (
        ({"read_as": {"form": 5}}, "/row/read_as"), ({"entries": -1}, "/row/entries"),
        ({"start": "today"}, "/row/start"),
        ({"sensor": "x", "read_as": {"form": "xovis-4"}}, "/row/sensor"),
    ):  # fmt: skip
        with pytest.raises(Invalid) as raised:
            resubmit(database, acme, rejected, sensor, {**kept, **wrong}, setup=setup, name="006E02000004")
        assert raised.value.errors[0].pointer == field
    resubmit(database, acme, rejected, sensor, {**kept, "entries": 50}, setup=setup, name="006E02000004")
    assert footfall(database, acme)[:2] == (6, 50)
    own = {**ROW, "sensor": "006E02000004", "line": "front"}
    resubmit(database, acme, anew, sensor, own, setup=setup, name="006E02000004")
    assert footfall(database, acme)[:2] == (4, 1)


def test_a_cell_of_a_csv_is_mended_where_it_stood_and_the_error_names_it(
    database: Database, two_tenants: Tenants, sensor: UUID
) -> None:
    acme, _ = two_tenants
    columns = Columns(start="Zeit", entries="Zugang", exits="Abgang", time_format="%d.%m.%Y %H:%M")
    setup, world = Setup(csv=columns), World()
    world.sensors["door"] = Known(sensor, Profile("Europe/Berlin", 15, setup))
    text = "Zeit;Zugang;Abgang\n02.03.2026 09:00;acht;4\n02.03.2026 09:15;1;0\n"
    answer = world.post(VENDORS, text, "text/csv", "sensor=door")[1]
    assert (answer["accepted"], [one["field"] for one in answer["rejected"]]) == (1, ["entries"])
    process(database, acme, {**part([]), "refused": world.queue.messages[-1].data["refused"]})
    ((listed, rejected),) = BatchRepository(database).rejected(acme, batch=None, after=None, limit=1)
    kept = msgspec.json.decode(listed)["content"]
    assert (kept["sensor"], kept["entries"], kept["read_as"]) == ("door", "acht", {"form": "csv", "cells": True})
    for row, field in (
        (None, "/row/entries"), ({**kept, "entries": "8", "start": "2026-03-02"}, "/row/start"),
        ({**kept, "start": None}, "/row/start"), ({**kept, "sensor": "x"}, "/row/sensor"),
        ({**kept, "sensor": 5}, "/row/sensor"),
    ):  # fmt: skip
        with pytest.raises(Invalid) as raised:
            resubmit(database, acme, rejected, sensor, row, setup=setup, zone="Europe/Berlin")
        assert raised.value.errors[0].pointer == field
    resubmit(database, acme, rejected, sensor, {**kept, "entries": "8"}, setup=setup, zone="Europe/Berlin")
    found = database.read(acme, "SELECT starts_at, ends_at - starts_at, entries, exits FROM people_counts")
    assert found == [(datetime(2026, 3, 2, 8, tzinfo=UTC), timedelta(minutes=15), 8, 4)]


def test_a_vendors_row_of_which_nothing_could_be_read_is_filled_in(
    database: Database, two_tenants: Tenants, sensor: UUID
) -> None:
    acme, _ = two_tenants
    push = json.loads(json.dumps(samples.VIVOTEK))
    push["Data"][0]["CountingInfo"][0]["In"] = "many"
    (rejected, *_) = refused_at_the_door(database, acme, push)
    found = BatchRepository(database).rejected(acme, batch=None, after=None, limit=9)
    kept = next(msgspec.json.decode(one)["content"] for one, row in found if row == rejected)
    assert (kept["sensor"], kept["said"]["In"], kept["entries"]) == ("00:02:D1:00:00:06", "many", None)
    with pytest.raises(Invalid) as raised:
        resubmit(database, acme, rejected, sensor, name="0002d1000006")
    assert raised.value.errors[0].pointer in {"/row/entries", "/row/exits"}  # neither is told yet
    filled = {**kept, "start": "2026-03-02T10:00:00", "end": "2026-03-02T10:15:00", "entries": 3, "exits": 1}
    resubmit(database, acme, rejected, sensor, filled, name="0002d1000006", zone="Europe/Berlin")
    assert footfall(database, acme)[:2] == (3, 1)
