"""An archive holds everything but secrets, is the same however often its maker died, and fills an empty tenant."""

import gzip
import hashlib
import io
import json
import tarfile
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from shared.exports.errors import Busy, ExportNotReady, ExportUnderWay, NotOwned, OwnersFill
from shared.exports.model import ExportId
from shared.exports.repository.exports import HELD
from shared.exports.rules.contents import LEFT_OUT, taken_over
from tenant_context.clock import uuid7
from tenant_context.context import TenantContext, from_message
from tenant_context.entry.queue import Message
from tenant_context.errors import Forbidden
from tests.conftest import Clone
from tests.drills.conftest import COUNTS, member_of, worker_of
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
    assert len(archive.rows("tables/people_counts")) == COUNTS + 1
    assert {"a": [1, 2.5]} in [site["metadata"] for site in archive.rows("tables/sites")]
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
    endpoints = archive.rows("tables/webhook_endpoints")
    assert [endpoint for endpoint in endpoints if {"secret", "old_secret", "old_secret_until"} & endpoint.keys()] == []
    assert endpoints
    assert archive.manifest["redacted"]["webhook_endpoints"] == ["secret", "old_secret", "old_secret_until"]
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
    begun = now[0]
    place.fuse.kinds.clear()
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


def test_a_deployment_between_two_parts_changes_nothing_in_the_archive(
    place: Place, acme: TenantContext, now: list[datetime]
) -> None:
    """The old code's worker is cut off, its claim ends after a time, and the code that is loaded anew goes on there."""
    first = asked(place, acme)
    begun = now[0]
    make(place, acme, first)
    wanted = bodies(place, acme, first)
    place.forget_audit(acme.tenant)
    export = asked(place, acme)
    place.fuse.left, place.fuse.after = 12, True
    with pytest.raises(Sandbox):
        make(place, acme, export)
    place.fuse.left = None
    with pytest.raises(Busy):
        make(place, acme, export)
    now[0] = begun + HELD + timedelta(seconds=1)
    place.loaded_anew()
    parts = status(place, acme, export)["progress"]["bytes"]
    assert parts > 0
    make(place, acme, export)
    assert status(place, acme, export)["status"] == "done"
    assert bodies(place, acme, export) == wanted


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
            "INSERT INTO tenants (tenant_id, slug, name, plan, created_at, updated_at)"
            " VALUES (%s, %s, 'New', 'enterprise', now(), now())",
            (tenant, f"new-{tenant.hex[-12:]}"),
        )
    return from_message(tenant, "worker")


def fill_from(place: Place, new: TenantContext, source: TenantContext, export: ExportId) -> dict[str, Any]:
    """Ask for it as an operator does, and let workers work until it has ended; what is shown then."""
    place.queue.messages.clear()
    with place.database.transaction(new) as tx:
        place.imports.ask(tx, source.tenant, export)
    while place.queue.messages:
        place.loader().load(worker_of(new), place.queue.messages.pop())
    return status(place, new, export)


@pytest.mark.usefixtures("small_files")
def test_a_tenant_with_a_row_in_every_table_is_the_same_in_another(
    place: Place, acme: TenantContext, clone: Clone
) -> None:
    export = asked(place, acme)
    make(place, acme, export)
    place.forget_audit(acme.tenant)
    first = opened(content(place, acme.tenant, export)).manifest
    assert [name for name, part in first["tables"].items() if not part["rows"]] == []
    new = empty_tenant(clone)
    done = fill_from(place, new, acme, export)
    assert (done["kind"], done["status"], done["reason"]) == ("import", "done", "")
    assert done["progress"]["sources_done"] == done["progress"]["sources"]
    place.forget_audit(new.tenant)
    again = asked(place, new)
    make(place, new, again)
    second = opened(content(place, new.tenant, again)).manifest
    for name, part in second["tables"].items():
        if name != "tenants":
            assert part == (first["tables"][name] if taken_over(name) else {"rows": 0, "files": []}), name
    assert second["tenant"] == str(new.tenant)


def test_what_is_paid_granted_or_proved_elsewhere_is_in_the_archive_and_not_taken_over(
    place: Place, acme: TenantContext
) -> None:
    export = asked(place, acme)
    make(place, acme, export)
    archive = opened(content(place, acme.tenant, export)).manifest
    stays = {name for name in archive["tables"] if not taken_over(name)}
    assert stays >= {
        "tenants", "grants", "domains", "billing_events", "dunning_steps",
        "usage_events", "usage_hourly", "usage_monthly", "usage_pushes", "usage_alerts",
    }  # fmt: skip
    assert {"sites", "campaigns", "memberships", "audit_log", "people_counts"}.isdisjoint(stays)


@pytest.mark.usefixtures("small_files")
@pytest.mark.parametrize("after", [False, True], ids=["before a step", "after a step"])
def test_a_loader_that_dies_at_any_step_is_followed_by_one_that_fills_the_same(
    place: Place, acme: TenantContext, clone: Clone, now: list[datetime], *, after: bool
) -> None:
    export = asked(place, acme)
    make(place, acme, export)
    wanted = opened(content(place, acme.tenant, export)).manifest["tables"]["people_counts"]
    place.fuse.kinds.clear()
    assert fill_from(place, empty_tenant(clone), acme, export)["status"] == "done"
    steps = place.fuse.steps
    assert steps > 30
    # The many in between are notes of files, one like the other.
    for number in [*range(6), steps // 3, steps // 2, *range(steps - 4, steps)]:
        new = empty_tenant(clone)
        said = message(new, "import", export, **{"from": str(acme.tenant)})
        place.fuse.after, place.fuse.left = after, number
        with suppress(Sandbox):
            place.loader().load(worker_of(new), said)
        place.fuse.left = None
        now[0] += timedelta(minutes=7)
        place.loader().load(worker_of(new), said)
        done = status(place, new, export)
        assert done["status"] == "done", f"killed at step {number}: {done}"
        again = asked(place, new)
        make(place, new, again)
        assert opened(content(place, new.tenant, again)).manifest["tables"]["people_counts"] == wanted


@pytest.mark.usefixtures("small_files")
def test_an_import_goes_on_where_time_ran_out(place: Place, acme: TenantContext, clone: Clone) -> None:
    export = asked(place, acme)
    make(place, acme, export)
    new = empty_tenant(clone)
    ticks = iter(range(0, 1_000_000, 45))
    loader = place.loader(elapsed=lambda: float(next(ticks)))
    waiting, runs = [message(new, "import", export, **{"from": str(acme.tenant)})], 0
    while waiting:
        place.queue.messages.clear()
        runs += 1
        loader.load(worker_of(new), waiting.pop())
        waiting = list(place.queue.messages)
    assert runs > 3
    assert status(place, new, export)["status"] == "done"


def test_a_smaller_plan_refuses_with_a_reason_and_a_larger_one_goes_on_there(
    place: Place, acme: TenantContext, clone: Clone
) -> None:
    with clone.connect() as admin:
        for number in range(3):
            admin.execute(
                "INSERT INTO sites (tenant_id, id, name, code, time_zone, created_at, updated_at)"
                " VALUES (%s, %s, 'More', %s, 'UTC', now(), now())",
                (acme.tenant, uuid7(), f"more-{number}"),
            )
    export = asked(place, acme)
    make(place, acme, export)
    new = empty_tenant(clone)
    with clone.connect() as admin:
        admin.execute("UPDATE tenants SET plan = 'free' WHERE tenant_id = %s", (new.tenant,))
    failed = fill_from(place, new, acme, export)
    assert failed["status"] == "failed"
    assert failed["reason"].startswith("The limit sites is 1")
    assert place.queue.messages == [], "to try again would not help"
    with clone.connect() as admin:
        admin.execute("UPDATE tenants SET plan = 'enterprise' WHERE tenant_id = %s", (new.tenant,))
    assert fill_from(place, new, acme, export)["status"] == "done"
    with clone.connect() as admin:
        count = "SELECT count(*) FROM sites WHERE tenant_id = %s"
        assert admin.execute(count, (new.tenant,)).fetchone() == admin.execute(count, (acme.tenant,)).fetchone()


def test_a_feature_that_the_plan_lacks_is_the_reason_too(place: Place, acme: TenantContext, clone: Clone) -> None:
    export = asked(place, acme)
    make(place, acme, export)
    new = empty_tenant(clone)
    with clone.connect() as admin:
        admin.execute(
            "UPDATE tenants SET status = 'active', subscription_status = 'active', plan = 'starter'"
            " WHERE tenant_id = %s",
            (new.tenant,),
        )
    assert "is not in the organization's plan" in fill_from(place, new, acme, export)["reason"]


def test_rows_that_are_there_are_not_counted_against_a_limit_again(place: Place, clone: Clone) -> None:
    """A plan with just enough room: a file that is added a second time, as its note was lost, must still fit."""
    tables = {table.name: table for table in place.tables.all()}
    new = empty_tenant(clone)
    with clone.connect() as admin:
        admin.execute("UPDATE tenants SET plan = 'free' WHERE tenant_id = %s", (new.tenant,))
    stamp = "2026-03-02T09:00:00Z"
    one = {"id": str(uuid7()), "name": "One", "created_at": stamp, "updated_at": stamp, "version": 1, "code": "x"}
    line = json.dumps(one | {"metadata": {}, "address": "", "time_zone": "UTC"}).encode()
    for _ in range(2):
        assert place.tables.add(worker_of(new), tables["sites"], [line]) == 0


@pytest.mark.parametrize("state", ["restricted", "suspended", "closing"])
def test_an_organization_that_takes_no_writes_is_not_filled(
    place: Place, acme: TenantContext, clone: Clone, state: str
) -> None:
    export = asked(place, acme)
    make(place, acme, export)
    new = empty_tenant(clone)
    with place.database.transaction(new) as tx:
        place.imports.ask(tx, acme.tenant, export)
    with clone.connect() as admin:
        admin.execute("UPDATE tenants SET status = %s WHERE tenant_id = %s", (state, new.tenant))
    place.loader().load(worker_of(new), message(new, "import", export, **{"from": str(acme.tenant)}))
    assert status(place, new, export)["status"] == "failed"
    with pytest.raises(Forbidden), place.database.transaction(new) as tx:
        place.imports.ask(tx, acme.tenant, export)


def test_an_import_that_comes_twice_changes_nothing(place: Place, acme: TenantContext, clone: Clone) -> None:
    export = asked(place, acme)
    make(place, acme, export)
    new = empty_tenant(clone)
    before = fill_from(place, new, acme, export)
    place.loader().load(worker_of(new), message(new, "import", export, **{"from": str(acme.tenant)}))
    assert status(place, new, export) == before


def test_an_owner_fills_from_what_they_own_and_from_nothing_else(
    place: Place, acme: TenantContext, globex: TenantContext, clone: Clone
) -> None:
    export = asked(place, acme)
    make(place, acme, export)
    new = replace(empty_tenant(clone), user=acme.user)
    with pytest.raises(OwnersFill), place.database.transaction(new) as tx:
        place.imports.by_owner(tx, acme.tenant, export)
    with clone.connect() as admin:
        admin.execute("INSERT INTO memberships VALUES (%s, %s, 'owner', now())", (new.tenant, acme.user))
    for organization in (globex.tenant, new.tenant, uuid7()):
        with pytest.raises(NotOwned), place.database.transaction(new) as tx:
            place.imports.by_owner(tx, organization, export)
    with place.database.transaction(new) as tx:
        assert json.loads(place.imports.by_owner(tx, acme.tenant, export))["status"] == "queued"


def test_an_archive_that_is_not_there_is_the_reason(place: Place, acme: TenantContext, clone: Clone) -> None:
    failed = fill_from(place, empty_tenant(clone), acme, ExportId(uuid7()))
    assert (failed["status"], failed["reason"]) == ("failed", "There is no such archive.")


def test_a_tenant_that_has_rows_is_not_filled(place: Place, acme: TenantContext, globex: TenantContext) -> None:
    export = asked(place, acme)
    make(place, acme, export)
    failed = fill_from(place, globex, acme, export)
    assert failed["status"] == "failed"
    assert "sites" in failed["reason"]


def repacked(place: Place, tenant: TenantContext, export: ExportId, archive: Archive) -> None:
    """Put an archive in the place of another."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, data in {**archive.files, "manifest.json": json.dumps(archive.manifest).encode()}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    place.s3.put_object(Bucket=place.bucket, Key=f"{tenant.tenant}/{export}.tar", Body=made.getvalue())


@pytest.mark.parametrize("same_length", [False, True], ids=["another length", "as long as before"])
def test_a_file_that_was_changed_is_not_trusted_and_no_row_of_it_comes_in(
    place: Place, acme: TenantContext, clone: Clone, *, same_length: bool
) -> None:
    export = asked(place, acme)
    make(place, acme, export)
    archive = opened(content(place, acme.tenant, export))
    name = "tables/sites/000001.jsonl.gz"
    before = archive.files[name]
    # The time in a gzip's head, which changes no row; or another compression of the same rows.
    archive.files[name] = (
        before[:4] + b"\1" + before[5:] if same_length else gzip.compress(gzip.decompress(before) + b"\n")
    )
    repacked(place, acme, export, archive)
    new = empty_tenant(clone)
    failed = fill_from(place, new, acme, export)
    assert (failed["status"], "tables/sites" in failed["reason"]) == ("failed", True)
    with clone.connect() as admin:
        assert admin.execute("SELECT 1 FROM sites WHERE tenant_id = %s", (new.tenant,)).fetchall() == []


@pytest.mark.parametrize("what", ["a file more", "a file less", "no manifest"])
def test_an_archive_of_other_files_than_its_manifest_names_is_not_trusted(
    place: Place, acme: TenantContext, clone: Clone, what: str
) -> None:
    export = asked(place, acme)
    make(place, acme, export)
    archive = opened(content(place, acme.tenant, export))
    if what == "a file more":
        archive.files["tables/sites/000002.jsonl.gz"] = gzip.compress(b"{}\n")
    elif what == "a file less":
        del archive.files["tables/sites/000001.jsonl.gz"]
    repacked(place, acme, export, archive)
    if what == "no manifest":
        whole = content(place, acme.tenant, export)
        key = f"{acme.tenant}/{export}.tar"
        place.s3.put_object(Bucket=place.bucket, Key=key, Body=whole[: whole.rindex(b"manifest.json")])
    failed = fill_from(place, empty_tenant(clone), acme, export)
    assert (failed["status"], "manifest" in failed["reason"]) == ("failed", True)


def test_who_the_members_are_is_in_the_archive_and_no_password(
    place: Place, acme: TenantContext, globex: TenantContext
) -> None:
    export = asked(place, acme)
    make(place, acme, export)
    archive = opened(content(place, acme.tenant, export))
    assert archive.rows("people/members") == [
        {"user_id": str(acme.user), "name": "Owner of acme", "email": "owner@acme.example"}
    ]
    assert archive.manifest["people"]["members"]["rows"] == 1
    assert globex.user != acme.user


def test_rows_that_could_not_be_taken_over_are_counted(
    place: Place, acme: TenantContext, globex: TenantContext, clone: Clone
) -> None:
    """A member whom this deployment does not know any more."""
    assert globex.user is not None
    gone = uuid7()
    with clone.connect() as admin:
        admin.execute(
            "INSERT INTO users (user_id, email, name, password_hash, created_at, updated_at)"
            " VALUES (%s, 'gone@acme.example', 'Gone', 'none', now(), now())",
            (gone,),
        )
    member_of(clone, acme.tenant, gone)
    export = asked(place, acme)
    make(place, acme, export)
    with clone.connect() as admin:
        admin.execute("DELETE FROM memberships WHERE user_id = %s", (gone,))
        admin.execute("DELETE FROM users WHERE user_id = %s", (gone,))
    done = fill_from(place, empty_tenant(clone), acme, export)
    assert done["status"] == "done"
    assert done["reason"] == "Rows left out, as what they refer to is not here: memberships 1."
