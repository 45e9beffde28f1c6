"""An archive holds everything but secrets, is the same however often its maker died, and fills an empty tenant."""

import gzip
import hashlib
import io
import json
import tarfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from shared.exports.errors import Busy, Damaged, ExportNotReady, ExportUnderWay, NotEmpty
from shared.exports.model import ExportId
from shared.exports.rules.contents import LEFT_OUT
from tenant_context.clock import uuid7
from tenant_context.context import TenantContext, from_message
from tenant_context.entry.queue import Message
from tests.conftest import Clone
from tests.drills.conftest import COUNTS, worker_of
from tests.drills.places import Place, Sandbox

SMALL = 600
"""Bytes of a part: a handful of files each, where S3 here takes parts of any size."""


@dataclass
class Archive:
    manifest: dict[str, Any]
    files: dict[str, bytes]

    def rows(self, source: str) -> list[dict[str, Any]]:
        return [
            json.loads(line)
            for name in sorted(self.files)
            if name.startswith(f"{source}/")
            for line in gzip.decompress(self.files[name]).splitlines()
        ]


def asked(place: Place, tenant: TenantContext) -> ExportId:
    with place.database.transaction(tenant) as tx:
        return place.requests.create(tx)[0]


def message(tenant: TenantContext, kind: str, export: ExportId, **more: str) -> Message:
    return Message(tenant.tenant, "request", kind, {"export": str(export), **more})


def make(place: Place, tenant: TenantContext, export: ExportId) -> None:
    place.maker(part_bytes=SMALL).make(worker_of(tenant), message(tenant, "export", export))


def status(place: Place, tenant: TenantContext, export: ExportId) -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(place.requests.show(tenant, export))
    return shown


def content(place: Place, tenant: UUID, export: ExportId) -> bytes:
    found: bytes = place.s3.get_object(Bucket=place.bucket, Key=f"{tenant}/{export}.tar")["Body"].read()
    return found


def opened(whole: bytes) -> Archive:
    with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
        names = tar.getnames()
        assert names[-1] == "manifest.json"
        read = {name: tar.extractfile(name) for name in names}
        files = {name: stream.read() for name, stream in read.items() if stream is not None}
    return Archive(json.loads(files.pop("manifest.json")), files)


@pytest.fixture
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.exports.rules.archive.FILE_ROWS", 16)


@pytest.mark.usefixtures("small_files")
def test_an_archive_holds_what_the_tenant_has_and_its_manifest_says_so(
    place: Place, acme: TenantContext, globex: TenantContext, clone: Clone
) -> None:
    export = asked(place, acme)
    make(place, acme, export)
    archive = opened(content(place, acme.tenant, export))
    with clone.connect() as admin:
        names = [str(row[0]) for row in admin.execute("""
            SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
            WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
                  AND NOT c.relispartition""")]  # fmt: skip
        there = {
            name: admin.execute(f"SELECT count(*) FROM {name} WHERE tenant_id = %s", (acme.tenant,)).fetchone()
            for name in names
            if name not in LEFT_OUT and name != "audit_log"  # which tells of this archive by now
        }
    told = {name: (part["rows"],) for name, part in archive.manifest["tables"].items() if name != "audit_log"}
    assert told == there
    assert set(archive.manifest["left_out"]) == {*LEFT_OUT, "users"}
    assert len(archive.rows("tables/people_counts")) == COUNTS
    assert archive.rows("tables/sites")[0]["metadata"] == {"a": [1, 2.5]}
    for part in (*archive.manifest["tables"].values(), *archive.manifest["items"].values()):
        for file in part["files"]:
            assert hashlib.sha256(archive.files[file["name"]]).hexdigest() == file["sha256"]
    plain = b"".join(gzip.decompress(data) for data in archive.files.values())
    assert str(globex.tenant).encode() not in plain
    assert b"globex" not in plain


@pytest.mark.usefixtures("small_files")
def test_secrets_stay_behind_and_the_manifest_says_which(place: Place, acme: TenantContext) -> None:
    export = asked(place, acme)
    make(place, acme, export)
    archive = opened(content(place, acme.tenant, export))
    (endpoint,) = archive.rows("tables/webhook_endpoints")
    assert {"secret", "old_secret", "old_secret_until"}.isdisjoint(endpoint)
    assert archive.manifest["redacted"]["webhook_endpoints"] == [
        "secret", "old_secret", "old_secret_until", "secret_headers", "secret_keys",
    ]  # fmt: skip
    assert archive.manifest["redacted"]["identity_providers"] == ["client_secret"]
    (key,) = archive.rows("items/api_keys")
    assert key["sk"] == "prefixacme"
    plain = b"".join(gzip.decompress(data) for data in archive.files.values())
    assert b"sealed" not in plain
    assert b"of the key" not in plain


def test_progress_can_be_read_and_the_archive_be_loaded_down_for_a_week(
    place: Place, acme: TenantContext, now: list[datetime]
) -> None:
    export = asked(place, acme)
    assert status(place, acme, export)["status"] == "queued"
    with pytest.raises(ExportNotReady):
        place.requests.link(acme, export)
    make(place, acme, export)
    done = status(place, acme, export)
    assert (done["status"], done["progress"]["sources_done"]) == ("done", done["progress"]["sources"])
    assert done["progress"]["bytes"] == len(content(place, acme.tenant, export))
    assert place.requests.link(acme, export)["url"].startswith("http")
    now[0] += timedelta(days=7)
    with pytest.raises(ExportNotReady):
        place.requests.link(acme, export)


def test_one_archive_is_made_at_a_time(place: Place, acme: TenantContext) -> None:
    export = asked(place, acme)
    assert asked(place, acme) == export, "it was not begun: it is asked for once more"
    with place.database.transaction(acme) as tx:
        place.exports.claim(tx, export)
    with pytest.raises(ExportUnderWay):
        asked(place, acme)
    with pytest.raises(Busy):
        make(place, acme, export)


@pytest.mark.usefixtures("small_files")
@pytest.mark.parametrize("after", [False, True], ids=["before a step", "after a step"])
def test_a_maker_that_dies_at_any_step_is_followed_by_one_that_makes_the_same_archive(
    place: Place, acme: TenantContext, now: list[datetime], *, after: bool
) -> None:
    first = asked(place, acme)
    begun, place.fuse.steps = now[0], 0
    make(place, acme, first)
    steps, wanted = place.fuse.steps, bodies(place, acme, first)
    assert steps > 10
    for number in range(steps):
        now[0] = begun
        place.forget_audit(acme.tenant)
        export = asked(place, acme)
        place.fuse.after, place.fuse.left = after, number
        with pytest.raises(Sandbox):
            make(place, acme, export)
        place.fuse.left = None
        now[0] += timedelta(minutes=7)
        if status(place, acme, export)["status"] != "done":
            make(place, acme, export)
        assert status(place, acme, export)["status"] == "done", f"killed at step {number}"
        assert bodies(place, acme, export) == wanted, f"killed at step {number}"


def bodies(place: Place, tenant: TenantContext, export: ExportId) -> bytes:
    return content(place, tenant.tenant, export)


@pytest.mark.usefixtures("small_files")
def test_what_one_run_has_no_time_for_is_left_to_the_next(place: Place, acme: TenantContext) -> None:
    export = asked(place, acme)
    place.queue.messages.clear()
    ticks = iter(range(0, 100_000, 150))
    maker = place.maker(part_bytes=SMALL, elapsed=lambda: float(next(ticks)))
    runs = 0
    waiting = [message(acme, "export", export)]
    while waiting:
        runs += 1
        maker.make(worker_of(acme), waiting.pop())
        waiting, place.queue.messages = place.queue.messages, []
    assert runs > 3
    assert status(place, acme, export)["status"] == "done"
    opened(content(place, acme.tenant, export))


def test_an_export_that_is_deleted_while_it_is_made_leaves_nothing(place: Place, acme: TenantContext) -> None:
    export = asked(place, acme)
    maker = place.maker(part_bytes=SMALL)
    place.fuse.left, place.fuse.after = 4, True
    with pytest.raises(Sandbox):
        maker.make(worker_of(acme), message(acme, "export", export))
    place.fuse.left = None
    with place.database.transaction(acme) as tx:
        place.requests.delete(tx, export)
    maker.make(worker_of(acme), message(acme, "export", export))
    maker.remove(worker_of(acme), message(acme, "delete", export))
    assert place.s3.list_objects_v2(Bucket=place.bucket).get("Contents", []) == []
    assert place.s3.list_multipart_uploads(Bucket=place.bucket).get("Uploads", []) == []
    assert asked(place, acme) != export


def empty_tenant(clone: Clone) -> TenantContext:
    tenant = uuid7()
    with clone.connect() as admin:
        admin.execute(
            "INSERT INTO tenants (tenant_id, slug, name, created_at, updated_at) VALUES (%s, %s, 'New', now(), now())",
            (tenant, f"new-{tenant.hex[-12:]}"),
        )
    return from_message(tenant, "worker")


@pytest.mark.usefixtures("small_files")
@pytest.mark.parametrize("deaths", [0, 3])
def test_an_archive_fills_an_empty_tenant_whose_own_archive_is_the_same(
    place: Place, acme: TenantContext, clone: Clone, now: list[datetime], deaths: int
) -> None:
    export = asked(place, acme)
    make(place, acme, export)
    place.forget_audit(acme.tenant)
    new = empty_tenant(clone)
    said = message(new, "import", export, **{"from": str(acme.tenant)})
    for number in range(deaths):
        place.fuse.left, place.fuse.after = 4 + 3 * number, bool(number % 2)
        with pytest.raises(Sandbox):
            place.loader().load(new, said)
        now[0] += timedelta(minutes=7)
    place.fuse.left = None
    place.loader().load(new, said)
    again = asked(place, new)
    make(place, new, again)
    first, second = (opened(content(place, t.tenant, e)) for t, e in ((acme, export), (new, again)))
    tables = [{**archive.manifest["tables"], "tenants": None} for archive in (first, second)]
    assert tables[0] == tables[1]
    assert second.manifest["tenant"] == str(new.tenant)


def test_a_tenant_that_has_rows_is_not_filled(place: Place, acme: TenantContext, globex: TenantContext) -> None:
    export = asked(place, acme)
    make(place, acme, export)
    with pytest.raises(NotEmpty, match="sites"):
        place.loader().load(worker_of(globex), message(globex, "import", export, **{"from": str(acme.tenant)}))


def test_an_archive_that_was_changed_is_not_trusted(place: Place, acme: TenantContext, clone: Clone) -> None:
    export = asked(place, acme)
    make(place, acme, export)
    key = f"{acme.tenant}/{export}.tar"
    archive = opened(content(place, acme.tenant, export))
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        archive.files["tables/sites/000001.jsonl.gz"] = gzip.compress(b"")
        for name, data in {**archive.files, "manifest.json": json.dumps(archive.manifest).encode()}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    place.s3.put_object(Bucket=place.bucket, Key=key, Body=made.getvalue())
    new = empty_tenant(clone)
    with pytest.raises(Damaged, match="tables/sites"):
        place.loader().load(new, message(new, "import", export, **{"from": str(acme.tenant)}))
