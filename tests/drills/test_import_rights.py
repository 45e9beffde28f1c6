"""Whose an archive is, who may import it, and imports that are deleted or asked again."""

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from shared.exports.errors import ImportUnderWay, IntoItself
from shared.exports.model import ExportId
from shared.exports.repository.exports import ExportRepository
from shared.exports.service.imports import Imports
from shared.identity.errors import OwnProofRequired, SsoRequired
from tenant_context.assurance import SecondFactorRequired
from tenant_context.clock import utc_now, uuid7
from tenant_context.context import TenantContext
from tenant_context.errors import Forbidden, RmapError
from tenant_context.postgres import Database
from tests.conftest import Clone
from tests.drills.archives import asked, content, make, message, status
from tests.drills.conftest import worker_of
from tests.drills.places import Place, Sandbox
from tests.drills.test_import import empty_tenant, fill_from, owned, proved


def test_an_import_that_is_deleted_leaves_the_archive_to_whom_it_belongs(
    place: Place, acme: TenantContext, clone: Clone
) -> None:
    export = asked(place, acme)
    make(place, acme, export)
    whole = content(place, acme.tenant, export)
    new = empty_tenant(clone)
    assert fill_from(place, new, acme, export)["status"] == "done"
    with place.database.transaction(new) as tx:
        place.requests.delete(tx, export)
    assert place.queue.messages == [], "nothing in the bucket is the importer's"
    place.maker(part_bytes=600).remove(worker_of(new), message(new, "delete", export))
    assert content(place, acme.tenant, export) == whole
    assert status(place, acme, export)["status"] == "done"


def test_an_import_that_is_deleted_while_it_runs_stops(place: Place, acme: TenantContext, clone: Clone) -> None:
    export = asked(place, acme)
    make(place, acme, export)
    new = empty_tenant(clone)
    with place.database.transaction(new) as tx:
        place.imports.ask(tx, acme.tenant, export)
    with place.database.transaction(new) as tx:
        place.requests.delete(tx, export)
    place.loader().load(worker_of(new), place.queue.messages.pop())
    assert status(place, new, export)["status"] == "deleted"
    assert not place.tables.has_rows(worker_of(new), next(one for one in place.tables.all() if one.name == "sites"))


def test_the_bucket_gives_up_nothing_of_another_tenant(
    place: Place, acme: TenantContext, globex: TenantContext
) -> None:
    export = asked(place, acme)
    make(place, acme, export)
    with pytest.raises(ValueError, match="not of the tenant"):
        place.archives.remove(globex.tenant, f"{acme.tenant}/{export}.tar")
    assert content(place, acme.tenant, export)


@pytest.mark.parametrize("state", ["suspended", "closed"])
def test_nothing_is_taken_out_of_an_organization_that_lets_no_archive_go(
    place: Place, acme: TenantContext, clone: Clone, state: str
) -> None:
    export = asked(place, acme)
    make(place, acme, export)
    new = owned(clone, acme)
    with place.database.transaction(new) as tx:
        place.imports.ask(tx, acme.tenant, export)
    with clone.connect() as admin:
        admin.execute("UPDATE tenants SET status = %s WHERE tenant_id = %s", (state, acme.tenant))
    place.loader().load(worker_of(new), place.queue.messages.pop())
    failed = status(place, new, export)
    assert (failed["status"], state in failed["reason"]) == ("failed", True), "judged when it is filled"
    assert not place.tables.has_rows(worker_of(new), next(one for one in place.tables.all() if one.name == "sites"))
    with pytest.raises(Forbidden, match=state), place.database.transaction(proved(new, acme)) as tx:
        place.imports.by_owner(tx, acme.tenant, export)
    with pytest.raises(Forbidden, match=state), place.database.transaction(new) as tx:
        place.imports.ask(tx, acme.tenant, export)


@pytest.mark.parametrize("state", ["past_due", "restricted", "closing"])
def test_an_organization_that_lets_archives_go_lets_them_be_imported(
    place: Place, acme: TenantContext, clone: Clone, state: str
) -> None:
    export = asked(place, acme)
    make(place, acme, export)
    with clone.connect() as admin:
        admin.execute("UPDATE tenants SET status = %s WHERE tenant_id = %s", (state, acme.tenant))
    assert fill_from(place, empty_tenant(clone), acme, export)["status"] == "done"


@pytest.mark.parametrize(
    ("policy", "proofs", "refused"),
    [
        ("mfa_required = true", ("pwd",), SecondFactorRequired),
        ("mfa_required = true", ("pwd", "otp"), None),
        ("sso_only = true", ("pwd",), SsoRequired),
        ("sso_only = true", ("pwd", "otp"), None),
        ("sso_only = false", ("pwd",), None),
        ("sso_only = false", ("fed", "mfa"), OwnProofRequired),
        ("mfa_required = true", ("fed", "pwd"), SecondFactorRequired),
    ],
)
def test_whoever_would_not_get_a_token_of_the_other_organization_imports_nothing_of_it(
    place: Place,
    two_tenants: tuple[TenantContext, TenantContext],
    clone: Clone,
    policy: str,
    proofs: tuple[str, ...],
    refused: type[RmapError] | None,
) -> None:
    source, export = two_tenants[0], ExportId(uuid7())
    new = owned(clone, source)
    with clone.connect() as admin:
        say: Any = admin.execute
        say(f"UPDATE tenants SET {policy} WHERE tenant_id = %s", (source.tenant,))

    def ask() -> dict[str, Any]:
        with place.database.transaction(proved(new, source, *proofs)) as tx:
            shown: dict[str, Any] = json.loads(place.imports.by_owner(tx, source.tenant, export))
        return shown

    if refused is None:
        assert ask()["status"] == "queued"
    else:
        with pytest.raises(refused):
            ask()


def test_who_has_a_second_factor_imports_with_it(
    place: Place, two_tenants: tuple[TenantContext, TenantContext], clone: Clone
) -> None:
    source = two_tenants[0]
    new = owned(clone, source)
    place.put("credentials", {"pk": f"user#{source.user}", "sk": "totp", "sealed": b"seed", "confirmed": True})
    with pytest.raises(SecondFactorRequired), place.database.transaction(proved(new, source, "pwd")) as tx:
        place.imports.by_owner(tx, source.tenant, ExportId(uuid7()))


def test_an_organization_is_not_filled_from_itself_by_anybody(
    place: Place, two_tenants: tuple[TenantContext, TenantContext]
) -> None:
    mine = two_tenants[0]
    with pytest.raises(IntoItself), place.database.transaction(worker_of(mine)) as tx:
        place.imports.ask(tx, mine.tenant, ExportId(uuid7()))
    with pytest.raises(IntoItself), place.database.transaction(proved(mine, mine)) as tx:
        place.imports.by_owner(tx, mine.tenant, ExportId(uuid7()))


def test_of_failed_imports_that_are_asked_again_at_once_one_begins(
    place: Place, two_tenants: tuple[TenantContext, TenantContext], clone: Clone
) -> None:
    source, new = two_tenants[0], empty_tenant(clone)
    imports = [ExportId(uuid7()) for _ in range(4)]
    for export in imports:
        assert fill_from(place, new, source, export)["status"] == "failed"

    def again(export: ExportId) -> str:
        with closing(Database(clone.settings(), clock=utc_now)) as database:
            imports = Imports(ExportRepository(database), place.queue.send, lambda *_: None)
            try:
                with database.transaction(new) as tx:
                    imports.ask(tx, source.tenant, export)
            except ImportUnderWay as refused:
                return refused.code
        return "asked"

    with ThreadPoolExecutor(4) as at_once:
        answers = sorted(at_once.map(again, imports))
    assert answers == ["asked", *["import-under-way"] * 3]
    assert "import" in ImportUnderWay().detail


def test_an_import_that_was_deleted_begins_anew_when_it_is_asked_again(
    place: Place, acme: TenantContext, clone: Clone
) -> None:
    export = asked(place, acme)
    make(place, acme, export)
    new = empty_tenant(clone)
    with place.database.transaction(new) as tx:
        place.imports.ask(tx, acme.tenant, export)
    with place.database.transaction(new) as tx:
        place.requests.delete(tx, export)
    assert fill_from(place, new, acme, export)["status"] == "done", "deleted before it began"
    with place.database.transaction(new) as tx:
        place.requests.delete(tx, export)
    again = fill_from(place, new, acme, export)
    assert again["status"] == "failed"
    assert "has rows already" in again["reason"], "it was done: the organization is not empty"


@pytest.mark.usefixtures("small_files")
def test_an_import_that_was_deleted_midway_is_whole_after_it_was_asked_again(
    place: Place, acme: TenantContext, clone: Clone
) -> None:
    export = asked(place, acme)
    make(place, acme, export)
    place.fuse.kinds.clear()
    assert fill_from(place, empty_tenant(clone), acme, export)["status"] == "done"
    steps = place.fuse.steps
    new = empty_tenant(clone)
    with place.database.transaction(new) as tx:
        place.imports.ask(tx, acme.tenant, export)
    place.fuse.left, place.fuse.after = steps - 6, True
    with pytest.raises(Sandbox):
        place.loader().load(worker_of(new), place.queue.messages.pop())
    place.fuse.left = None
    assert place.tables.has_rows(worker_of(new), next(one for one in place.tables.all() if one.name == "sites"))
    with place.database.transaction(new) as tx:
        place.requests.delete(tx, export)
    done = fill_from(place, new, acme, export)
    assert done["status"] == "done"
    with clone.connect() as admin:
        count = "SELECT count(*) FROM people_counts WHERE tenant_id = %s"
        assert admin.execute(count, (new.tenant,)).fetchone() == admin.execute(count, (acme.tenant,)).fetchone()


def test_after_an_import_that_stopped_another_archive_is_refused_with_the_way_out(
    place: Place, acme: TenantContext, clone: Clone
) -> None:
    with clone.connect() as admin:
        say: Any = admin.execute
        for number in range(2):
            say("INSERT INTO webhook_endpoints (tenant_id, id, url, event_types, secret, created_at, updated_at)"
                " VALUES (%s, %s, %s, '{*}', 'sealed', now(), now())",
                (acme.tenant, uuid7(), f"https://{number}.example"))  # fmt: skip
    first = asked(place, acme)
    make(place, acme, first)
    second = asked(place, acme)
    make(place, acme, second)
    new = empty_tenant(clone)
    with clone.connect() as admin:
        admin.execute("UPDATE tenants SET plan = 'free' WHERE tenant_id = %s", (new.tenant,))
    stopped = fill_from(place, new, acme, first)
    assert stopped["status"] == "failed"
    assert "The archive has" in stopped["reason"]
    refused = fill_from(place, new, acme, second)["reason"]
    assert f"by the import {first}: ask for that one again" in refused
    assert "sign one up" in refused
