"""An archive holds everything but secrets, and is the same however often its maker died."""

import gzip
import hashlib
from datetime import datetime, timedelta

import pytest

from shared.exports.errors import Busy, ExportNotReady, ExportUnderWay
from shared.exports.repository.exports import HELD
from shared.exports.rules.contents import LEFT_OUT
from tenant_context.context import TenantContext
from tests.conftest import Clone
from tests.drills.archives import SMALL, asked, bodies, content, make, message, opened, status
from tests.drills.conftest import COUNTS, worker_of
from tests.drills.places import Place, Sandbox, chosen


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
    redacted = ["secret", "old_secret", "old_secret_until", "secret_headers", "secret_keys"]
    assert [endpoint for endpoint in endpoints if set(redacted) & endpoint.keys()] == []
    assert endpoints
    assert archive.manifest["redacted"]["webhook_endpoints"] == redacted
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
    kinds, wanted = list(place.fuse.kinds), bodies(place, acme, first)
    assert set(kinds) >= {"begin", "part", "complete"}
    for number in chosen(kinds):
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
