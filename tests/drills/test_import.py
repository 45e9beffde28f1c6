"""An archive fills an empty tenant, however often the loader died, or says why it does not."""

import gzip
import io
import json
import tarfile
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.exports.errors import NotOwned, OwnersFill
from shared.exports.model import ExportId
from shared.exports.rules.contents import taken_over
from tenant_context.clock import uuid7
from tenant_context.context import TenantContext, from_message
from tenant_context.errors import Forbidden
from tests.conftest import Clone
from tests.drills.archives import Archive, asked, content, make, message, opened, status
from tests.drills.conftest import worker_of
from tests.drills.places import Place, Sandbox


def empty_tenant(clone: Clone) -> TenantContext:
    tenant = uuid7()
    with clone.connect() as admin:
        admin.execute(
            "INSERT INTO tenants (tenant_id, slug, name, plan, created_at, updated_at)"
            " VALUES (%s, %s, 'New', 'enterprise', now(), now())",
            (tenant, f"new-{tenant.hex[-12:]}"),
        )
    return from_message(tenant, "worker")


def proved(new: TenantContext, owner: TenantContext, *proofs: str) -> TenantContext:
    """The new tenant, entered by a tenant's owner with these proofs (two of their own, where none is said)."""
    proofs = proofs or ("pwd", "otp")
    return replace(new, user=owner.user, level=len(proofs), proofs=proofs)


def owned(clone: Clone, owner: TenantContext) -> TenantContext:
    """An empty tenant that a tenant's owner owns as well."""
    new = empty_tenant(clone)
    with clone.connect() as admin:
        admin.execute("INSERT INTO memberships VALUES (%s, %s, 'owner', now())", (new.tenant, owner.user))
    return new


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
    people = first["tables"]["memberships"]["rows"]
    told = f"Members of the other organization who are none here, and can be invited: {people}."
    assert (done["kind"], done["status"], done["reason"]) == ("import", "done", told)
    assert done["progress"]["sources_done"] == done["progress"]["sources"]
    assert (done["organization"], status(place, acme, export)["organization"]) == (str(acme.tenant), None)
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
        "memberships", "invitations", "provider_subjects",
        "usage_events", "usage_hourly", "usage_monthly", "usage_pushes", "usage_alerts",
    }  # fmt: skip
    assert {"sites", "campaigns", "roles", "audit_log", "people_counts"}.isdisjoint(stays)


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
    with clone.connect() as admin:
        (brought,) = admin.execute("SELECT count(*) FROM sites WHERE tenant_id = %s", (acme.tenant,)).fetchone() or (0,)
    told = f"The archive has {brought} sites; this plan allows 1. Change the plan, then ask again: it goes on"
    assert failed["reason"].startswith(told)
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
    reason = fill_from(place, new, acme, export)["reason"]
    assert "is not in the organization's plan" in reason
    assert "ask again" in reason


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
    new = proved(empty_tenant(clone), acme)
    with pytest.raises(OwnersFill), place.database.transaction(new) as tx:
        place.imports.by_owner(tx, acme.tenant, export)
    with clone.connect() as admin:
        admin.execute("INSERT INTO memberships VALUES (%s, %s, 'owner', now())", (new.tenant, acme.user))
    for organization in (globex.tenant, uuid7()):
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
