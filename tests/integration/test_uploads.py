"""From a file in S3 to raw rows: whoever dies, however often, each row counts once, and whatever is wrong is said."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from shared.sites.model import Columns, Setup
from shared.uploads import model
from shared.uploads.errors import Busy, NoSuchSensor, TooManyUploads, UploadNotFound, UploadOver
from shared.uploads.model import UploadId
from shared.uploads.rules import cutting
from tenant_context.aws import AwsError
from tenant_context.clock import rfc3339, utc_now, uuid7
from tenant_context.context import TenantContext, from_message
from tenant_context.entry.queue import Message
from tenant_context.errors import Forbidden
from tenant_context.postgres import Database
from tests.integration.bulk import HEAD, SALES, House, Sandbox, csv, ndjson, rows, stored


@pytest.mark.parametrize("form", ["csv", "json", "ndjson"])
@pytest.mark.parametrize("packed", [False, True])
def test_every_row_of_a_file_is_accounted_for(house: House, form: str, packed: bool) -> None:  # noqa: FBT001
    raw = {
        "csv": csv(2_500),
        "ndjson": ndjson(2_500),
        "json": b'{"counts": [' + ndjson(2_500).replace(b"\n", b",\n") + b"]}",
    }[form]
    shown = house.read(gzip.compress(raw) if packed else raw, form=form)
    assert (shown["status"], shown["reason"]) == ("done", "")
    assert (shown["accepted"], shown["duplicates"], shown["rejected"]) == (2_500, 0, 0)
    assert shown["progress"]["rows"] == 2_500
    assert shown["progress"]["bytes"] == shown["bytes"]
    house.process(times=2)
    assert stored(house) == (2_500, 5_000, 1)
    processed = house.shown(UploadId(UUID(shown["id"])))["processed"]
    assert (processed["parts"], processed["stored"], processed["unchanged"]) == (shown["progress"]["parts"], 2_500, 0)
    assert house.s3.list_objects_v2(Bucket=house.bucket).get("Contents", []) == []


def test_rows_are_refused_by_their_place_in_the_whole_file(house: House) -> None:
    lines = rows(2_100).splitlines(keepends=True)
    lines[0] = lines[0].replace("door", "nobody")
    lines[1] = lines[2]
    lines[1_500] = lines[1_500].replace(",2,", ",x,")
    lines[2_099] = lines[2_099].replace("door", "nobody")
    shown = house.read((HEAD + "\n" + "".join(lines)).encode())
    assert (shown["accepted"], shown["duplicates"], shown["rejected"]) == (2_096, 1, 3)
    house.process()
    upload = UploadId(UUID(shown["id"]))
    refused = [json.loads(text) for text, _ in house.requests.rejected(house.tenant, upload, after=None, limit=10)]
    assert {one["row"]: one["code"] for one in refused} == {
        0: "unknown-sensor",
        1_500: "invalid",
        2_099: "unknown-sensor",
    }


@pytest.mark.parametrize("form", ["csv", "json", "ndjson"])
def test_rows_of_clocks_that_are_wrong_are_refused_in_every_form(house: House, form: str) -> None:
    ahead = utc_now() + timedelta(days=7)
    starts = (datetime(1970, 1, 1, tzinfo=UTC), datetime(2076, 2, 7, tzinfo=UTC), ahead)
    said = [
        {"sensor": "door", "start": rfc3339(one), "end": rfc3339(one + timedelta(minutes=15)), "entries": 2, "exits": 1}
        for one in starts
    ]
    raw = {
        "csv": "\n".join([HEAD, *(",".join(map(str, one.values())) for one in said)]),
        "json": json.dumps({"counts": said}),
        "ndjson": "\n".join(map(json.dumps, said)),
    }[form]
    shown = house.read(raw.encode(), form=form)
    assert (shown["status"], shown["accepted"], shown["rejected"]) == ("done", 0, 3)
    house.process()
    refused = house.requests.rejected(house.tenant, UploadId(UUID(shown["id"])), after=None, limit=10)
    told = {one["row"]: one["code"] for one in (json.loads(text) for text, _ in refused)}
    assert told == {0: "too-old", 1: "future", 2: "future"}


def test_a_file_of_nothing_but_nonsense_is_refused_row_by_row(house: House) -> None:
    wide = ",".join([HEAD, *(f"column {number}" for number in range(900))])
    raw = wide + "\n" + ("nobody," + "x" * 100 + "," * 902 + "\n") * 1_200
    shown = house.read(raw.encode())
    assert (shown["status"], shown["rejected"], shown["accepted"]) == ("done", 1_200, 0)
    assert max(len(message.encode()) for message in house.counts.messages) < 1_000_000
    house.process()


def test_a_mapping_is_used_for_the_whole_file(house: House) -> None:
    house.add_sensor(
        "mapped", Setup(csv=Columns(start="Zeit", entries="Zugang", time_format="%d.%m.%Y %H:%M")), "Europe/Berlin"
    )
    text = "Zeit;Zugang\n" + "".join(f"{1 + n // 24:02}.02.2026 {n % 24:02}:00;4\n" for n in range(28 * 24)) + "x;y\n"
    shown = house.read(text.encode(), sensor="mapped")
    assert (shown["accepted"], shown["rejected"]) == (672, 1)
    del house.sensors["mapped"]  # retired since it was announced
    shown = house.read(text.encode(), sensor="mapped")
    assert (shown["status"], shown["reason"]) == (
        "failed",
        "No active sensor has the id or serial that the upload names.",
    )


def test_receipts_of_a_file_are_whole_wherever_it_is_cut(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutting, "MOST_ROWS", 4)
    text = SALES + "".join(
        f"r{receipt},main,2026-03-02T09:00:00Z,EUR,s{line},1,1.50\n" for receipt in range(9) for line in range(3)
    )
    shown = house.read(text.encode(), kind="transactions")
    assert (shown["accepted"], shown["rejected"]) == (27, 0)
    house.process(times=2)
    found = house.database.read(house.tenant, "SELECT count(*), sum(total), max(revision) FROM transactions")
    assert tuple(found[0]) == (9, 9 * 4.5, 1)


@pytest.mark.parametrize("packed", [False, True])
def test_a_worker_that_dies_at_any_step_loses_and_doubles_nothing(
    house: House,
    monkeypatch: pytest.MonkeyPatch,
    packed: bool,  # noqa: FBT001
) -> None:
    monkeypatch.setattr(cutting, "MOST_ROWS", 40)
    raw = csv(1_000)
    upload = house.put(gzip.compress(raw) if packed else raw)
    (job,) = house.jobs.messages
    note, deaths = house.repository.note, 0

    def dies_before() -> None:
        raise Sandbox

    def dies_after(*given: Any) -> None:
        note(*given)
        raise Sandbox

    for step in range(12):
        # Before the pieces are sent, after they were and before that is noted, and after it was.
        house.counts.before = dies_before if step % 3 == 0 else lambda: None
        monkeypatch.setattr(house.repository, "note", [note, dies_instead, dies_after][step % 3])
        try:
            house.reader()(from_message(house.tenant.tenant, "worker"), job)
        except Sandbox:
            deaths += 1
        with house.database.transaction(house.tenant) as tx:
            tx.run("UPDATE ingest_uploads SET claimed_until = NULL WHERE tenant_id = %s", (house.tenant.tenant,))
    house.counts.before = lambda: None
    monkeypatch.setattr(house.repository, "note", note)
    house.reader()(from_message(house.tenant.tenant, "worker"), job)
    assert deaths >= 8
    shown = house.shown(upload)
    assert (shown["status"], shown["accepted"], shown["progress"]["rows"]) == ("done", 1_000, 1_000)
    assert len(house.counts.messages) > shown["progress"]["parts"] == 25  # some were sent twice, and more
    house.process()
    assert stored(house) == (1_000, 2_000, 1)
    assert house.shown(upload)["processed"]["parts"] == 25


def dies_instead(*_: Any) -> None:
    raise Sandbox


@pytest.mark.parametrize("form", ["csv", "json", "ndjson"])
def test_who_has_no_time_left_goes_on_in_another_run(house: House, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    monkeypatch.setattr(cutting, "MOST_ROWS", 10)
    moments = iter(range(0, 10**9, 150))
    house.elapsed = lambda: float(next(moments))
    raw = {"csv": csv(500), "ndjson": ndjson(500), "json": b"[" + ndjson(500).replace(b"\n", b",") + b"]"}[form]
    upload = house.put(raw, form=form)
    runs, progress = 0, [0]
    while house.jobs.messages:
        house.work()
        runs += 1
        progress.append(house.shown(upload)["progress"]["bytes"])
    assert runs > 2
    assert progress == sorted(progress)
    assert (house.shown(upload)["status"], house.shown(upload)["accepted"]) == ("done", 500)
    house.process()
    assert stored(house) == (500, 1_000, 1)


def test_two_workers_do_not_read_one_file_at_once(house: House) -> None:
    upload = house.put(csv(10))
    with house.database.transaction(house.tenant) as tx:
        house.repository.claim(tx, upload)
    with pytest.raises(Busy):
        house.work()


def test_one_who_wakes_up_late_notes_nothing_any_more(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutting, "MOST_ROWS", 10)
    upload = house.put(csv(400))
    once = iter([True])

    def another_takes_over() -> None:
        if next(once, False):
            with house.database.transaction(house.tenant) as tx:
                tx.run("UPDATE ingest_uploads SET run = run + 1 WHERE tenant_id = %s", (house.tenant.tenant,))

    house.counts.before = another_takes_over
    house.work()
    assert (house.shown(upload)["progress"]["rows"], house.shown(upload)["status"]) == (0, "reading")


def test_what_is_cancelled_while_it_is_read_stops_there_and_its_file_goes(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cutting, "MOST_ROWS", 10)
    upload = house.put(csv(400))

    def cancel() -> None:
        with house.database.transaction(house.tenant) as tx:
            house.requests.cancel(tx, upload)
        house.counts.before = lambda: None

    house.counts.before = cancel
    house.work()
    assert house.shown(upload)["status"] == "cancelled"
    assert len(house.counts.messages) == 8
    assert house.s3.list_objects_v2(Bucket=house.bucket).get("Contents", []) == []
    with pytest.raises(UploadOver), house.database.transaction(house.tenant) as tx:
        house.requests.complete(tx, upload)


def test_a_file_that_never_comes_expires(house: House, database: Database) -> None:
    upload, _ = house.announce(10)
    with database.transaction(house.tenant) as tx:
        tx.run("UPDATE ingest_uploads SET expires_at = now() WHERE tenant_id = %s", (house.tenant.tenant,))
    assert house.shown(upload)["status"] == "expired"
    for ask in (house.requests.complete, house.requests.links):
        with pytest.raises(UploadOver, match="within 24 hours"), database.transaction(house.tenant) as tx:
            ask(tx, upload)


def test_uploads_at_once_have_a_limit_that_expired_ones_do_not_count_for(house: House, database: Database) -> None:
    for _ in range(model.MOST_OPEN):
        house.announce(10)
    with pytest.raises(TooManyUploads):
        house.announce(10)
    with database.transaction(house.tenant) as tx:
        tx.run("UPDATE ingest_uploads SET expires_at = now() WHERE tenant_id = %s", (house.tenant.tenant,))
    house.announce(10)


def test_rows_beyond_the_plans_day_wait_for_the_next(house: House) -> None:
    house.rows_left = 1_500
    upload = house.put(csv(2_500))
    house.work()
    shown = house.shown(upload)
    assert (shown["status"], shown["accepted"], shown["reason"]) == (
        "reading", 1_000, "The plan's rows of the day are taken; it goes on at 2026-03-02T00:00:00Z.",
    )  # fmt: skip
    assert house.jobs.delays[-1] == 900
    house.rows_left = 10_000
    house.work()
    assert (house.shown(upload)["status"], house.shown(upload)["accepted"]) == ("done", 2_500)
    house.process()
    assert stored(house)[0] == 2_500


def test_a_queue_that_is_down_counts_nothing_as_taken(house: House) -> None:
    house.rows_left = 100
    upload = house.put(csv(50))
    job = house.jobs.messages[0]

    def down() -> None:
        raise AwsError("InternalFailure", "down", 500)

    house.counts.before = down
    with pytest.raises(AwsError):
        house.work()
    assert (house.shown(upload)["accepted"], house.rows_left) == (0, 100)
    house.counts.before = lambda: None
    house.jobs.messages.append(job)
    house.work()
    assert (house.shown(upload)["accepted"], house.rows_left) == (50, 50)


def test_globex_has_nothing_of_acmes_upload(
    house: House, database: Database, two_tenants: tuple[TenantContext, TenantContext]
) -> None:
    globex = two_tenants[1]
    upload = house.put(csv(5))
    for ask in (house.requests.complete, house.requests.links, house.requests.cancel):
        with pytest.raises(UploadNotFound), database.transaction(globex) as tx:
            ask(tx, upload)
    with pytest.raises(UploadNotFound):
        house.requests.show(globex, upload)
    with pytest.raises(UploadNotFound):
        house.requests.rejected(globex, upload, after=None, limit=1)
    assert house.requests.page(globex, after=None, limit=5) == []
    house.reader()(from_message(globex.tenant, "worker"), Message(globex.tenant, "x", "read", {"upload": str(upload)}))
    assert (house.shown(upload)["status"], house.counts.messages) == ("queued", [])


def test_a_file_for_a_sensor_that_is_not_there_is_refused_when_it_is_announced(
    house: House, database: Database, two_tenants: tuple[TenantContext, TenantContext]
) -> None:
    sensor = house.add_sensor("mapped")
    for name in ("mapped", str(sensor), str(sensor).upper()):
        house.announce(10, sensor=name)
    for tenant, name in ((house.tenant, "nobody"), (house.tenant, str(uuid7())), (two_tenants[1], "mapped")):
        with pytest.raises(NoSuchSensor) as refused, database.transaction(tenant) as tx:
            house.requests.announce(tx, model.Wanted("counts", "csv", 10, sensor=name))
        assert refused.value.errors[0].pointer == "/sensor"


def test_a_device_bound_key_uploads_no_files(house: House, database: Database) -> None:
    bound = TenantContext(**{**{name: getattr(house.tenant, name) for name in house.tenant.__dataclass_fields__},
                             "scopes": {"sensor": "x"}})  # fmt: skip
    with pytest.raises(Forbidden), database.transaction(bound) as tx:
        house.requests.announce(tx, model.Wanted("counts", "csv", 10))
    others = house.put(csv(10))
    for ask in (house.requests.links, house.requests.complete, house.requests.cancel):
        with pytest.raises(Forbidden), database.transaction(bound) as tx:
            ask(tx, others)


def test_the_same_file_again_changes_nothing_and_a_corrected_one_revises(house: House) -> None:
    house.read(csv(100))
    house.process()
    house.read(csv(100))
    house.process()
    assert stored(house) == (100, 200, 1)
    house.read(csv(100).replace(b",2,1", b",5,1"))
    house.process()
    assert stored(house) == (100, 500, 2)


def test_addresses_are_good_for_a_quarter_of_an_hour() -> None:
    assert timedelta(seconds=model.LINK_SECONDS) == timedelta(minutes=15)
