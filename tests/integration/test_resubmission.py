"""A refused row is sent again: mended, or because its sensor is there by now; and taken once."""

from typing import Any
from uuid import UUID

import msgspec
import pytest

from shared.measurements.errors import AlreadyResubmitted, RejectedNotFound
from shared.measurements.model import Resubmitted
from shared.measurements.repository.batches import BatchRepository
from shared.measurements.repository.raw import RawRepository
from shared.measurements.service import Resubmission
from shared.sites.model import Known, Profile, Setup
from tenant_context.clock import uuid7
from tenant_context.context import TenantContext
from tenant_context.errors import Invalid
from tenant_context.postgres import Database
from tests.integration.test_ingest_line import add_sensor, footfall, part, process

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
) -> Resubmitted:
    known = {"door": Known(sensor, Profile("UTC", 15, setup or Setup()))}

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
