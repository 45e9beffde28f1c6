"""What an erasure may take is held by PostgreSQL, and nothing is made of a tenant once it was taken."""

from typing import Any

import pytest
from psycopg import errors
from psycopg.types.json import Jsonb

from tenant_context.clock import uuid7
from tenant_context.context import TenantContext, from_message
from tests.conftest import Clone
from tests.drills.archives import SMALL, asked, message
from tests.drills.conftest import worker_of
from tests.drills.places import Place, Sandbox
from tests.drills.test_erasure import certificate, close, erase


def test_who_goes_with_a_tenant_is_who_its_members_were_and_nobody_that_a_function_names(
    place: Place, clone: Clone, acme: TenantContext, globex: TenantContext
) -> None:
    """Also somebody who is a member of nothing, whom no key of a membership would keep."""
    loner = uuid7()
    with clone.connect() as admin:
        admin.execute(
            "INSERT INTO users (user_id, email, name, password_hash, created_at, updated_at)"
            " VALUES (%s, 'loner@nowhere.example', 'Loner', 'none', now(), now())",
            (loner,),
        )
    close(clone, globex.tenant)
    named = Jsonb({"people": [str(loner), str(acme.user)]})
    with place.database.transaction(worker_of(globex)) as tx:
        tx.run("INSERT INTO erasures (tenant_id, mark, started_at) VALUES (%s, %s, now())", (globex.tenant, named))
        assert tx.one("SELECT mark -> 'people' FROM erasures WHERE tenant_id = %s", (globex.tenant,)) == (
            [str(globex.user)],
        )
    with pytest.raises(errors.InsufficientPrivilege), place.database.transaction(worker_of(globex)) as tx:
        tx.run("UPDATE erasures SET mark = %s WHERE tenant_id = %s", (named, globex.tenant))
    with pytest.raises(errors.InsufficientPrivilege), place.database.transaction(worker_of(globex)) as tx:
        tx.one("SELECT app.erase_person(%s)", (loner,))


def test_no_erasure_begins_for_what_is_no_closed_tenant(place: Place, acme: TenantContext) -> None:
    nobody = from_message(uuid7(), "worker")
    for tenant in (nobody, worker_of(acme)):
        with pytest.raises(errors.InsufficientPrivilege), place.database.transaction(tenant) as tx:
            tx.run("INSERT INTO erasures (tenant_id, started_at) VALUES (%s, now())", (tenant.tenant,))
        with place.database.transaction(tenant) as tx:
            assert tx.one("SELECT app.being_erased()") == (False,)


@pytest.mark.parametrize("step", ["the upload was begun", "every part is there"])
def test_an_archive_that_was_being_made_when_its_tenant_was_erased_is_never_completed(
    place: Place, clone: Clone, acme: TenantContext, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    export = asked(place, acme)
    place.fuse.kinds.clear()
    maker = place.maker(part_bytes=SMALL)
    if step == "every part is there":
        complete = place.archives.complete

        def erased_meanwhile(*given: Any) -> None:
            close(clone, acme.tenant)
            erase(place, acme)
            complete(*given)

        monkeypatch.setattr(place.archives, "complete", erased_meanwhile)
        maker.make(worker_of(acme), message(acme, "export", export))
    else:
        place.fuse.left, place.fuse.after = 2, True
        with pytest.raises(Sandbox):
            maker.make(worker_of(acme), message(acme, "export", export))
        place.fuse.left = None
        assert place.s3.list_multipart_uploads(Bucket=place.bucket).get("Uploads", []) != []
        close(clone, acme.tenant)
        erase(place, acme)
    assert place.s3.list_objects_v2(Bucket=place.bucket).get("Contents", []) == []
    assert place.s3.list_multipart_uploads(Bucket=place.bucket).get("Uploads", []) == []
    assert certificate(clone, acme)["s3/uploads"] == 1
