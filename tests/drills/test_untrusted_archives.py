"""Archives that are not this deployment's, or not what they say, bring nothing in; and no archive brings members."""

import gzip
import hashlib
import json
from datetime import datetime, timedelta

import pytest

from shared.exports.model import ExportId
from shared.exports.rules import unpacking
from shared.exports.rules.seal import sealed
from shared.jobs.repository import JobRepository
from tenant_context.clock import uuid7
from tenant_context.context import TenantContext
from tests.conftest import Clone
from tests.drills.archives import Archive, asked, content, make, opened, status
from tests.drills.conftest import member_of, worker_of
from tests.drills.places import PEPPER, Place, Sandbox
from tests.drills.test_import import empty_tenant, fill_from, repacked


def resealed(place: Place, tenant: TenantContext, export: ExportId, archive: Archive) -> None:
    """The same with a manifest that names the files as they are now, and this deployment's seal."""
    for kind in ("tables", "items", "people"):
        for source in archive.manifest[kind].values():
            source["files"] = [file for file in source["files"] if file["name"] in archive.files]
            for file in source["files"]:
                data = archive.files[file["name"]]
                file |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    unsealed = {name: value for name, value in archive.manifest.items() if name != "mac"}
    archive.manifest = json.loads(sealed(unsealed, PEPPER))
    repacked(place, tenant, export, archive)


def made_archive(place: Place, tenant: TenantContext) -> tuple[ExportId, Archive]:
    export = asked(place, tenant)
    make(place, tenant, export)
    return export, opened(content(place, tenant.tenant, export))


def sites_of(clone: Clone, tenant: TenantContext) -> int:
    with clone.connect() as admin:
        return len(admin.execute("SELECT 1 FROM sites WHERE tenant_id = %s", (tenant.tenant,)).fetchall())


def test_rows_whose_parents_are_not_here_are_left_out_and_counted(
    place: Place, acme: TenantContext, clone: Clone
) -> None:
    export, archive = made_archive(place, acme)
    del archive.files["tables/sites/000001.jsonl.gz"]
    resealed(place, acme, export, archive)
    done = fill_from(place, empty_tenant(clone), acme, export)
    assert done["status"] == "done"
    assert done["reason"].startswith("Rows left out, as what they refer to is not here: ")
    assert f"sensors {archive.manifest['tables']['sensors']['rows']}" in done["reason"]


def test_nobody_becomes_a_member_by_an_import(
    place: Place, acme: TenantContext, globex: TenantContext, clone: Clone
) -> None:
    """Not who is a user here, nor who was an owner there; they are counted, but for those who are members already."""
    assert globex.user is not None
    member_of(clone, acme.tenant, globex.user)
    export, archive = made_archive(place, acme)
    new = empty_tenant(clone)
    with clone.connect() as admin:
        admin.execute("INSERT INTO memberships VALUES (%s, %s, 'viewer', now())", (new.tenant, acme.user))
    done = fill_from(place, new, acme, export)
    others = archive.manifest["tables"]["memberships"]["rows"] - 1
    told = f"Members of the other organization who are none here, and can be invited: {others}."
    assert (done["status"], done["reason"]) == ("done", told)
    with clone.connect() as admin:
        found = admin.execute("SELECT user_id, role FROM memberships WHERE tenant_id = %s", (new.tenant,)).fetchall()
    assert found == [(acme.user, "viewer")]


@pytest.mark.parametrize("what", ["a row of its own making", "no seal", "another deployment's seal"])
def test_an_archive_that_is_not_ours_is_refused_before_any_row_of_it_comes_in(
    place: Place, acme: TenantContext, clone: Clone, what: str
) -> None:
    export, archive = made_archive(place, acme)
    seal = archive.manifest["mac"]
    archive.files["tables/sites/000001.jsonl.gz"] = gzip.compress(
        gzip.decompress(archive.files["tables/sites/000001.jsonl.gz"]).replace(b"Main", b"Mine")
    )
    resealed(place, acme, export, archive)
    if what == "a row of its own making":
        archive.manifest["mac"] = seal
    elif what == "no seal":
        del archive.manifest["mac"]
    else:
        unsealed = {name: value for name, value in archive.manifest.items() if name != "mac"}
        archive.manifest = json.loads(sealed(unsealed, "another pepper"))
    repacked(place, acme, export, archive)
    new = empty_tenant(clone)
    failed = fill_from(place, new, acme, export)
    told = "The archive's manifest was not made by this deployment, or was changed since."
    assert (failed["status"], failed["reason"], failed["progress"]["rows"]) == ("failed", told, 0)
    assert sites_of(clone, new) == 0


def test_an_archive_is_taken_for_no_other_than_it_is(
    place: Place, acme: TenantContext, globex: TenantContext, clone: Clone
) -> None:
    """Sealed, but put where another organization's, or another export, is looked for."""
    export, _ = made_archive(place, acme)
    whole, other = content(place, acme.tenant, export), ExportId(uuid7())
    for tenant, called in ((globex, export), (acme, other)):
        place.s3.put_object(Bucket=place.bucket, Key=f"{tenant.tenant}/{called}.tar", Body=whole)
        new = empty_tenant(clone)
        failed = fill_from(place, new, tenant, called)
        assert (failed["status"], "than it is called" in failed["reason"]) == ("failed", True)
        assert sites_of(clone, new) == 0


@pytest.mark.parametrize(
    ("what", "reason"),
    [("a bomb", "unpacks to more"), ("an endless row", "has more than"), ("many rows", "rows that its manifest"),
     ("rows more", "rows that its manifest"),
     ("half a gzip", "not a whole one"), ("a second gzip", "not a whole one"), ("no gzip", "is no gzip"),
     ("no row", "cannot be kept"), ("no JSON", "cannot be kept")],
)  # fmt: skip
def test_what_a_sealed_archive_should_not_hold_ends_the_import_with_its_reason(
    place: Place, acme: TenantContext, clone: Clone, what: str, reason: str
) -> None:
    """Should the pepper ever be known to somebody else."""
    export, archive = made_archive(place, acme)
    name = "tables/sites/000001.jsonl.gz"
    rows, packed = gzip.decompress(archive.files[name]), archive.files[name]
    archive.files[name] = {
        "a bomb": gzip.compress((bytes(unpacking.MOST_UNPACKED // 2 + 1) + b"\n") * rows.count(b"\n")),
        "many rows": gzip.compress(b"{}\n" * (unpacking.MOST_UNPACKED // 3 + 1)),
        "an endless row": gzip.compress(bytes(unpacking.MOST_UNPACKED + 1)),
        "rows more": gzip.compress(rows * 2),
        "half a gzip": packed[: len(packed) // 2],
        "a second gzip": packed * 2,
        "no gzip": rows,
        "no row": gzip.compress(b"{}\n" * rows.count(b"\n")),
        "no JSON": gzip.compress(b"{\n" * rows.count(b"\n")),
    }[what]
    resealed(place, acme, export, archive)
    new = empty_tenant(clone)
    failed = fill_from(place, new, acme, export)
    assert (failed["status"], reason in failed["reason"]) == ("failed", True), failed["reason"]


def test_an_archive_of_too_many_or_too_large_files_is_refused(
    place: Place, acme: TenantContext, clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    export, archive = made_archive(place, acme)
    largest = max(map(len, archive.files.values()))
    for bound, reason in (("MOST_FILES", "more than 3 files"), ("MOST_PACKED", f"more than {largest - 1} bytes")):
        with monkeypatch.context() as patched:
            patched.setattr(unpacking, bound, 3 if bound == "MOST_FILES" else largest - 1)
            failed = fill_from(place, empty_tenant(clone), acme, export)
        assert (failed["status"], reason in failed["reason"]) == ("failed", True), failed["reason"]


def test_an_archive_that_ends_too_early_is_refused(place: Place, acme: TenantContext, clone: Clone) -> None:
    """What is no tar file any more, with a manifest that is whole."""
    export, _ = made_archive(place, acme)
    whole = bytearray(content(place, acme.tenant, export))
    whole[0:512] = b"x" * 512
    place.s3.put_object(Bucket=place.bucket, Key=f"{acme.tenant}/{export}.tar", Body=bytes(whole))
    failed = fill_from(place, empty_tenant(clone), acme, export)
    assert (failed["status"], failed["reason"]) == ("failed", "The archive is no tar file, or not a whole one.")


def test_an_import_whose_worker_fails_again_and_again_is_given_up_after_a_day_and_can_be_asked_for_again(
    place: Place, acme: TenantContext, clone: Clone, now: list[datetime]
) -> None:
    export, _ = made_archive(place, acme)
    new = empty_tenant(clone)
    with place.database.transaction(new) as tx:
        place.imports.ask(tx, acme.tenant, export)
    place.fuse.left, place.fuse.after = 4, False
    with pytest.raises(Sandbox):
        place.loader().load(worker_of(new), place.queue.messages.pop())
    place.fuse.left = None
    for hours, shown in ((23, "running"), (2, "failed")):
        now[0] += timedelta(hours=hours)
        with place.database.transaction(new) as tx:
            JobRepository(place.database).forget(tx)
        assert status(place, new, export)["status"] == shown
    assert "stood still for a day" in status(place, new, export)["reason"]
    assert fill_from(place, new, acme, export)["status"] == "done"
