"""A closed tenant is erased to the last row, also by workers that die at any step, and nobody else loses anything."""

import hashlib
import json
from contextlib import closing
from datetime import datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID, uuid5

import psycopg
import pytest
from psycopg import errors

from infra import vocabulary
from local.stack import Stack
from shared.erasure.errors import Busy, NeverErased, NotClosed, Untold
from shared.erasure.repository import HELD, ErasureRepository
from shared.erasure.rules import ITEMS, KEPT
from shared.federation.gateway.secrets import ClientSecrets
from shared.webhooks.gateway.keys import SecretKeys
from shared.webhooks.model import EndpointId
from tenant_context.aws import AwsClient
from tenant_context.clock import uuid7
from tenant_context.context import TenantContext, from_message
from tenant_context.dynamo import Table
from tenant_context.entry.queue import Message
from tenant_context.errors import NotInState
from tenant_context.fields import Unreadable
from tenant_context.flags import PLACE, Flag
from tenant_context.states import Need, permitting
from tests.conftest import Clone, MakeTenant
from tests.drills.conftest import fill_every_table, filled, member_of, worker_of
from tests.drills.places import Place, Sandbox, chosen

ERASE = "erase"


def close(clone: Clone, tenant: UUID) -> None:
    with clone.connect() as admin:
        admin.execute("UPDATE tenants SET status = 'closed' WHERE tenant_id = %s", (tenant,))


def erase(place: Place, tenant: TenantContext) -> None:
    place.eraser().erase(worker_of(tenant), Message(tenant.tenant, "request", ERASE, {}))


def tables(admin: psycopg.Connection[tuple[object, ...]]) -> list[str]:
    found = admin.execute("""
        SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
               AND NOT c.relispartition ORDER BY 1""").fetchall()  # fmt: skip
    return [str(name) for (name,) in found]


def checksums(clone: Clone, place: Place, gone: TenantContext) -> dict[str, str]:
    """Of every table and every store: what is there and not the tenant's (nor of its owner)."""
    mine = {str(gone.tenant), str(gone.user)}
    found: dict[str, str] = {}
    with clone.connect() as admin:
        for table in tables(admin):
            rows = [str(row[0]) for row in admin.execute(f"SELECT row_to_json(t)::text FROM {table} t ORDER BY 1")]
            found[table] = digest(row for row in rows if not any(mark in row for mark in mine))
    for name, table in place.names.items():
        # Flags are one item for all tenants; what becomes of it is judged by itself.
        items = [str(sorted(item.items())) for item in all_items(place, table) if item["pk"] != {"S": PLACE[0]}]
        found[f"dynamodb/{name}"] = digest(item for item in sorted(items) if not any(mark in item for mark in mine))
    return found


def digest(rows: Any) -> str:
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def all_items(place: Place, table: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = place.dynamodb.call("Scan", {"TableName": table})["Items"]
    return found


def left_of(clone: Clone, place: Place, tenant: TenantContext) -> dict[str, int]:
    """Where anything is left that names the tenant, and how much."""
    found: dict[str, int] = {}
    with clone.connect() as admin:
        for table in tables(admin):
            query = f"SELECT count(*) FROM {table} t WHERE strpos(row_to_json(t)::text, %s) > 0"
            (rows,) = admin.execute(query, (str(tenant.tenant),)).fetchone() or (0,)
            found[table] = int(str(rows))
    for name, table in place.names.items():
        found[f"dynamodb/{name}"] = sum(str(tenant.tenant) in str(item) for item in all_items(place, table))
    for name, bucket in (("s3", place.bucket), ("s3/files", place.files)):
        objects = place.s3.list_objects_v2(Bucket=bucket).get("Contents", [])
        found[name] = sum(str(tenant.tenant) in entry["Key"] for entry in objects)
        uploads = place.s3.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
        found[f"{name}/uploads"] = sum(str(tenant.tenant) in entry["Key"] for entry in uploads)
    return {name: count for name, count in found.items() if count}


def done_of(clone: Clone, tenant: TenantContext) -> set[str]:
    """The stores and tables that an erasure has emptied."""
    with clone.connect() as admin:
        query = "SELECT mark -> 'done' FROM erasures WHERE tenant_id = %s"
        row: Any = admin.execute(query, (tenant.tenant,)).fetchone()
    return set(row[0] or ()) if row else set()


def certificate(clone: Clone, tenant: TenantContext) -> dict[str, int]:
    with clone.connect() as admin:
        row = admin.execute(
            "SELECT counts FROM erasures WHERE tenant_id = %s AND finished_at IS NOT NULL AND mark = '{}'",
            (tenant.tenant,),
        ).fetchone()
    assert row is not None
    counts: Any = row[0]
    return {name: count for name, count in counts.items() if count}


def put_archives(place: Place, *tenants: TenantContext) -> None:
    """Two archives of each tenant, and two that are being made; as many files that were uploaded, and that are."""
    for tenant, number, bucket in product(tenants, range(2), (place.bucket, place.files)):
        place.s3.put_object(Bucket=bucket, Key=f"{tenant.tenant}/{number}.tar", Body=b"archive")
        begun = f"{tenant.tenant}/begun-{number}.tar"
        upload = place.s3.create_multipart_upload(Bucket=bucket, Key=begun)["UploadId"]
        place.s3.upload_part(Bucket=bucket, Key=begun, UploadId=upload, PartNumber=1, Body=b"of an archive")


def test_everything_of_a_closed_tenant_goes_and_nothing_of_anybody_else(
    place: Place, clone: Clone, acme: TenantContext, globex: TenantContext
) -> None:
    put_archives(place, acme, globex)
    close(clone, acme.tenant)
    before = checksums(clone, place, acme)
    assert left_of(clone, place, acme)
    erase(place, acme)
    assert left_of(clone, place, acme) == {"erasures": 1}
    assert checksums(clone, place, acme) == before
    theirs = left_of(clone, place, globex)
    assert (theirs["s3"], theirs["s3/uploads"]) == (2, 2)
    counts = certificate(clone, acme)
    assert (theirs["s3/files"], theirs["s3/files/uploads"]) == (2, 2)
    assert (counts["s3/uploads"], counts["s3/files"], counts["s3/files_begun"]) == (2, 2, 2)
    assert {f"dynamodb/{name}" for name in ITEMS} <= counts.keys()
    assert (counts["postgresql/people_counts"], counts["dynamodb/devices"], counts["s3/exports"]) == (41, 30, 2)
    assert (counts["dynamodb/data_keys"], counts["people"], counts["postgresql/tenants"]) == (1, 1, 1)
    (told,) = place.outbox.events
    assert (told.type, {name: count for name, count in told.data["counts"].items() if count}) == (
        "tenant.erased",
        counts,
    )


def test_an_erased_tenant_is_taken_out_of_every_flag_and_others_stay_named(
    place: Place, clone: Clone, acme: TenantContext, globex: TenantContext
) -> None:
    theirs = frozenset({str(globex.tenant)})
    place.flags.set("both", Flag(10, on=theirs | {str(acme.tenant)}, off=frozenset({str(acme.tenant)})))
    close(clone, acme.tenant)
    erase(place, acme)
    assert place.flags.all() == {
        "of-acme": Flag(0),
        "of-globex": Flag(0, on=theirs),
        "of-everybody": Flag(25, off=theirs),
        "both": Flag(10, on=theirs),
    }
    assert certificate(clone, acme)["flags"] == 3


def test_who_works_elsewhere_too_stays_a_person(
    place: Place, clone: Clone, acme: TenantContext, globex: TenantContext
) -> None:
    assert acme.user is not None
    member_of(clone, globex.tenant, acme.user)
    close(clone, acme.tenant)
    erase(place, acme)
    with clone.connect() as admin:
        kept = admin.execute("SELECT email FROM users WHERE user_id = %s", (acme.user,)).fetchall()
    assert kept == [("owner@acme.example",)]
    assert "people" not in certificate(clone, acme)
    assert place.forgotten == []


@pytest.mark.parametrize("after", [False, True], ids=["before a step", "after a step"])
def test_an_eraser_that_dies_at_any_step_is_followed_by_one_with_the_same_certificate(
    place: Place, clone: Clone, make_tenant: MakeTenant, now: list[datetime], *, after: bool
) -> None:
    """A tenant of its own for each step at which a worker dies; the second worker has to end it."""

    def fresh(slug: str) -> TenantContext:
        made = filled(clone, place, make_tenant(slug), slug, 7)
        put_archives(place, made)
        close(clone, made.tenant)
        return made

    whole = fresh("whole")
    place.fuse.kinds.clear()
    erase(place, whole)
    kinds, wanted = list(place.fuse.kinds), certificate(clone, whole)
    assert set(kinds) >= {"erase", "_note", "delete", "_clear", "_tenant", "_people", "forget", "publish", "_go_on"}
    assert set(kinds) >= {"flag", "give_up"}
    assert (wanted["people"], wanted["flags"], wanted["s3/uploads"]) == (1, 2, 2)
    for number in chosen(kinds):
        tenant, told = fresh(f"t{number}"), len(place.outbox.events)
        place.fuse.after, place.fuse.left = after, number
        with pytest.raises(Sandbox):
            erase(place, tenant)
        place.fuse.left = None
        now[0] += timedelta(minutes=7)
        erase(place, tenant)
        which = f"killed at step {number}, {kinds[number]}"
        assert certificate(clone, tenant) == wanted, which
        assert left_of(clone, place, tenant) == {"erasures": 1}, which
        assert len({event.id for event in place.outbox.events[told:]}) == 1, which


def test_what_comes_late_for_a_table_that_was_empty_is_erased_and_counted_too(
    place: Place, clone: Clone, acme: TenantContext, now: list[datetime]
) -> None:
    """Its worker was at it already when the organization was closed."""
    close(clone, acme.tenant)
    place.fuse.after, place.fuse.left = True, 0
    while not done_of(clone, acme) >= {"postgresql/sites", "postgresql/usage_hourly"}:
        with pytest.raises(Sandbox):
            erase(place, acme)
        now[0] += timedelta(minutes=7)
        place.fuse.left = len(place.fuse.kinds)
        place.fuse.kinds.clear()
    place.fuse.left = None
    fill_every_table(clone, acme, "acme", 3)
    erase(place, acme)
    assert left_of(clone, place, acme) == {"erasures": 1}
    assert certificate(clone, acme)["postgresql/sites"] == 3


def test_what_comes_late_for_a_tenant_that_is_gone_finds_no_way_in(
    place: Place, clone: Clone, acme: TenantContext
) -> None:
    close(clone, acme.tenant)
    erase(place, acme)
    for need in (Need.PROCESS, Need.TIMED):
        late = from_message(acme.tenant, "late", permitting(need))
        with pytest.raises(NotInState), place.database.transaction(late) as tx:
            tx.run("INSERT INTO usage_events SELECT * FROM usage_events")
    assert left_of(clone, place, acme) == {"erasures": 1}


def test_what_the_bus_does_not_take_is_told_by_the_next_try(place: Place, clone: Clone, acme: TenantContext) -> None:
    close(clone, acme.tenant)
    place.outbox.takes = False
    with pytest.raises(Untold):
        erase(place, acme)
    place.outbox.takes = True
    erase(place, acme)
    (told,) = place.outbox.events
    assert told.id == uuid5(acme.tenant, "tenant.erased")
    assert certificate(clone, acme)


def test_every_table_of_dynamodb_is_emptied_or_said_to_hold_nothing_of_tenants() -> None:
    assert not set(ITEMS) & set(KEPT)
    assert {*ITEMS, *KEPT} == {table.value for table in vocabulary.Table}


def test_an_erasure_goes_on_where_time_ran_out(place: Place, clone: Clone, acme: TenantContext) -> None:
    close(clone, acme.tenant)
    ticks = iter(range(0, 1_000_000, 60))
    eraser = place.eraser(elapsed=lambda: float(next(ticks)))
    waiting, runs = [Message(acme.tenant, "request", ERASE, {})], 0
    while waiting:
        runs += 1
        eraser.erase(worker_of(acme), waiting.pop())
        waiting, place.queue.messages = place.queue.messages, []
    assert runs > 3
    assert left_of(clone, place, acme) == {"erasures": 1}


def test_the_schedule_finds_who_is_closed_and_who_is_half_erased_and_nobody_else(
    place: Place, clone: Clone, acme: TenantContext, globex: TenantContext
) -> None:
    assert place.eraser().start("run", {}) == 0
    close(clone, acme.tenant)
    for minutes in (14, 16):  # calls of its webhooks may be on their way
        with clone.connect() as admin:
            admin.execute("UPDATE tenants SET status_since = now() - %s * interval '1 minute'", (minutes,))
        assert place.eraser().start("run", {}) == (minutes == 16)
    place.fuse.left = 20
    with pytest.raises(Sandbox):
        erase(place, acme)
    place.fuse.left = None
    assert place.eraser().start("run", {}) == 1
    with pytest.raises(Busy):
        erase(place, acme)
    assert [message.tenant for message in place.queue.messages] == [acme.tenant, acme.tenant]
    del globex


@pytest.mark.parametrize("status", ["active", "suspended", "closing"])
def test_a_tenant_that_is_not_closed_is_not_erased(
    place: Place, clone: Clone, acme: TenantContext, status: str
) -> None:
    with clone.connect() as admin:
        admin.execute("UPDATE tenants SET status = %s WHERE tenant_id = %s", (status, acme.tenant))
    before = left_of(clone, place, acme)
    with pytest.raises(NotClosed):
        erase(place, acme)
    assert left_of(clone, place, acme) == before


@pytest.mark.parametrize("call", ["app.erase_rows('campaign_sites', 10)", "app.erase_person('{user}')"])
def test_the_database_itself_refuses_to_erase_for_a_tenant_that_is_not_being_erased(
    place: Place, clone: Clone, acme: TenantContext, globex: TenantContext, call: str
) -> None:
    close(clone, globex.tenant)
    with place.database.transaction(worker_of(globex)) as tx:
        tx.run("INSERT INTO erasures (tenant_id, started_at) VALUES (%s, now())", (globex.tenant,))
    with pytest.raises(errors.InsufficientPrivilege), place.database.transaction(worker_of(acme)) as tx:
        tx.one(f"SELECT {call.format(user=acme.user)}")
    # Nor does the one that is being erased reach others' people.
    with pytest.raises(errors.InsufficientPrivilege), place.database.transaction(worker_of(globex)) as tx:
        tx.one("SELECT app.erase_person(%s)", (acme.user,))
    with place.database.transaction(worker_of(globex)) as tx:
        assert tx.one("SELECT app.erase_rows('campaign_sites', 10)") == (2,)
    with clone.connect() as admin:
        assert admin.execute("SELECT DISTINCT tenant_id FROM campaign_sites").fetchall() == [(acme.tenant,)]


@pytest.mark.parametrize(
    "table", ["erasures", "users", "pg_authid", "people_counts_2026_03", "sites; DROP TABLE sites"]
)
def test_only_tables_of_tenants_can_be_erased(place: Place, clone: Clone, acme: TenantContext, table: str) -> None:
    close(clone, acme.tenant)
    with place.database.transaction(worker_of(acme)) as tx:
        tx.run("INSERT INTO erasures (tenant_id, started_at) VALUES (%s, now())", (acme.tenant,))
    with pytest.raises(errors.RaiseException), place.database.transaction(worker_of(acme)) as tx:
        tx.one("SELECT app.erase_rows(%s, 10)", (table,))


def test_an_erasure_that_is_done_is_not_done_again(place: Place, clone: Clone, acme: TenantContext) -> None:
    close(clone, acme.tenant)
    erase(place, acme)
    counted = certificate(clone, acme)
    erase(place, acme)
    assert certificate(clone, acme) == counted
    assert place.eraser().start("run", {}) == 0
    assert len(place.outbox.events) == 1


def test_what_was_sealed_for_an_erased_tenant_opens_nowhere_any_more(
    place: Place, clone: Clone, acme: TenantContext, globex: TenantContext, servers: Stack
) -> None:
    """A copy kept aside, in a backup say, of a webhook's and of a provider's secret; another tenant's still opens."""
    with closing(servers.client("kms")) as made, closing(AwsClient("kms")) as kms:
        field_key = made.create_key()["KeyMetadata"]["KeyId"]
        table = Table(place.names["data_keys"], place.dynamodb)
        endpoint = EndpointId(uuid7())

        def afresh() -> tuple[SecretKeys, ClientSecrets]:
            return SecretKeys(field_key, table, kms), ClientSecrets(field_key, table, kms)

        hooks, clients = afresh()
        aside = {one.tenant: (hooks.seal(one, endpoint, b"s"), clients.seal(one.tenant, "s")) for one in (acme, globex)}
        close(clone, acme.tenant)
        erase(place, acme)
        hooks, clients = afresh()
        for open_it in (
            lambda: hooks.open(acme, endpoint, aside[acme.tenant][0]),
            lambda: clients.open(acme.tenant, aside[acme.tenant][1]),
        ):
            with pytest.raises(Unreadable, match="gone"):
                open_it()
        assert hooks.open(globex, endpoint, aside[globex.tenant][0]) == b"s"
        assert clients.open(globex.tenant, aside[globex.tenant][1]) == "s"


def test_the_certificate_can_be_read_and_names_no_person(place: Place, clone: Clone, acme: TenantContext) -> None:
    erasures = ErasureRepository(place.database)
    with pytest.raises(NeverErased):
        erasures.certificate(acme)
    close(clone, acme.tenant)
    erase(place, acme)
    read = erasures.certificate(worker_of(acme))
    shown = json.loads(read)
    assert shown["finished_at"] >= shown["started_at"]
    assert {name: count for name, count in shown["counts"].items() if count} == certificate(clone, acme)
    assert str(acme.user).encode() not in read
    assert b"@" not in read


def test_a_deployment_in_the_middle_of_an_erasure_changes_nothing(
    place: Place, clone: Clone, acme: TenantContext, now: list[datetime]
) -> None:
    """The old code's worker is cut off; what it knew is in PostgreSQL, and code that is loaded anew goes on there."""
    close(clone, acme.tenant)
    place.fuse.left, place.fuse.after = 25, True
    with pytest.raises(Sandbox):
        erase(place, acme)
    place.fuse.left = None
    with pytest.raises(Busy):
        erase(place, acme)
    now[0] += HELD + timedelta(seconds=1)
    place.loaded_anew()
    erase(place, acme)
    assert left_of(clone, place, acme) == {"erasures": 1}
