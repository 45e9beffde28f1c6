"""The refused rows of a whole push are sent again: what is good by now is taken, once, and the rest stays refused."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from shared.measurements.errors import BatchNotFound
from shared.measurements.repository.batches import BatchRepository
from shared.measurements.repository.raw import RawRepository
from shared.measurements.service import Processor, Resubmission
from shared.sites.model import Known, Profile, Setup
from tenant_context.clock import uuid7
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message
from tenant_context.postgres import Database
from tests.integration.test_ingest_line import add_sensor, footfall, part, process
from tests.integration.test_resubmission import ROW, sensor

__all__ = ["sensor"]

Tenants = tuple[TenantContext, TenantContext]


def refuse_all(database: Database, tenant: TenantContext, contents: list[dict[str, Any]]) -> UUID:
    """Let the rows of a push be refused; answers the batch."""
    refused = [
        {"row": row, "field": "sensor", "code": "unknown-sensor", "message": "is none", "content": content}
        for row, content in enumerate(contents)
    ]
    data = {**part([]), "refused": refused}
    process(database, tenant, data)
    return UUID(data["batch"])


def again(database: Database, tenant: TenantContext, batch: UUID, known: dict[str, Known], first: int = 0) -> Any:
    asked: list[set[str]] = []

    def look(_: TenantContext, references: set[str]) -> dict[str, Known]:
        asked.append(references)
        return {name: one for name, one in known.items() if name in references}

    with database.transaction(tenant) as tx:
        answer = Resubmission(RawRepository(uuid7), look, lambda *_: {}, uuid7).of_batch(tx, batch, first)
    assert len(asked) == len(set().union(*asked)), "each name is looked up once"
    return answer


def quarter(number: int, **said: Any) -> dict[str, Any]:
    start = datetime(2026, 3, 2, 9, tzinfo=UTC) + timedelta(minutes=15 * number)
    return {**ROW, "start": f"{start:%FT%TZ}", "end": f"{start + timedelta(minutes=15):%FT%TZ}", **said}


def test_a_batchs_rows_are_taken_once_their_sensor_is_there_and_others_stay(
    database: Database, two_tenants: Tenants, sensor: UUID
) -> None:
    acme, _ = two_tenants
    wrong = [quarter(1, entries=-1), quarter(2, sensor="nobody")]
    batch = refuse_all(database, acme, [quarter(0), *wrong, quarter(3), quarter(3), quarter(0, entries=9)])
    known = {"door": Known(sensor, Profile("UTC", 15, Setup()))}
    nobody = again(database, acme, batch, {})
    assert (nobody.batch, nobody.taken, nobody.still_refused, nobody.next_row) == (None, 0, 6, None)
    answer = again(database, acme, batch, known)
    # What was said twice is taken with what it repeats; what contradicts it is not.
    assert (answer.taken, answer.stored, answer.still_refused, answer.next_row) == (3, 2, 3, None)
    assert footfall(database, acme) == (8, 2, 30)
    listed = [
        msgspec.json.decode(shown)
        for shown, _ in BatchRepository(database).rejected(acme, batch=batch, after=None, limit=10)
    ]
    taken = {one["row"]: one["resubmitted_as"] for one in listed}
    assert taken == {row: str(answer.batch) if row in {0, 3, 4} else None for row in range(6)}
    shown = msgspec.json.decode(BatchRepository(database).show(acme, answer.batch))
    assert (shown["state"], shown["rows"], shown["stored"]) == ("done", 2, 2)
    later = again(database, acme, batch, known)
    assert (later.taken, later.revised, later.still_refused) == (1, 1, 2), "by itself it is the newest word"
    assert footfall(database, acme) == (13, 2, 30)
    assert again(database, acme, batch, known).batch is None


def test_a_large_batch_is_taken_in_pieces(
    database: Database, two_tenants: Tenants, sensor: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, _ = two_tenants
    monkeypatch.setattr("shared.measurements.service.resubmission.MOST_ROWS", 2)
    batch = refuse_all(database, acme, [quarter(number, entries=-1 if number < 3 else 1) for number in range(5)])
    known = {"door": Known(sensor, Profile("UTC", 15, Setup()))}
    told = []
    first: int | None = 0
    while first is not None:
        answer = again(database, acme, batch, known, first)
        told.append((answer.taken, answer.still_refused))
        first = answer.next_row
    assert told == [(0, 2), (1, 1), (1, 0)]
    monkeypatch.setattr("shared.measurements.service.resubmission.MOST_BYTES", 10)
    assert again(database, acme, batch, known).next_row == 1, "one that is larger than fits goes alone"


def test_a_row_that_the_store_does_not_take_keeps_no_other_one_back(
    database: Database, two_tenants: Tenants, sensor: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The door knows of all that the tables refuse, as far as we know; what it should not know of stays by itself."""
    acme, _ = two_tenants
    batch = refuse_all(database, acme, [quarter(0), quarter(1)])
    known = {"door": Known(sensor, Profile("UTC", 15, Setup()))}
    ask = RawRepository.unwritable
    monkeypatch.setattr(RawRepository, "unwritable", lambda *asked: [0, *ask(*asked)])
    answer = again(database, acme, batch, known)
    assert (answer.taken, answer.stored, answer.still_refused) == (1, 1, 1)
    monkeypatch.undo()
    assert again(database, acme, batch, known).taken == 1
    assert footfall(database, acme) == (8, 2, 30)


def test_receipts_of_a_batch_are_taken_once_their_site_is_there(database: Database, two_tenants: Tenants) -> None:
    acme, globex = two_tenants
    bought = [{"sku": "a", "quantity": "1", "unit_price": "5"}]
    sale = {"id": "1", "site": "main", "time": "2026-03-02T09:00:00Z", "currency": "EUR", "total": "5", "lines": bought}
    contents = [sale, {**sale, "id": "2"}, {**sale, "id": "3", "currency": "none"}]
    refused = [
        {"row": row, "field": "site", "code": "unknown-site", "message": "is none", "content": content}
        for row, content in enumerate(contents)
    ]
    data = {**part([]), "refused": refused}
    line = Processor(database, RawRepository(uuid7), "transactions", RawRepository.write_transactions)
    line(acme, Message(acme.tenant, "test", "transactions", data))
    site, _ = add_sensor(database, acme)
    resubmission = Resubmission(RawRepository(uuid7), lambda *_: {}, lambda *_: {"main": site}, uuid7)
    with database.transaction(acme) as tx:
        answer = resubmission.of_batch(tx, UUID(data["batch"]), 0)
    assert (answer.taken, answer.stored, answer.still_refused) == (2, 2, 1)
    with pytest.raises(BatchNotFound), database.transaction(globex) as tx:
        resubmission.of_batch(tx, UUID(data["batch"]), 0)
