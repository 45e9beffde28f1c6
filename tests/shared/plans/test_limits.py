"""Limits and features of plans, on PostgreSQL: exact whoever creates at once, wider by grants, each tenant its own."""

import json
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

import psycopg
import pytest
from pydantic import ValidationError

from functions.tenants.schemas.plans import GrantIn
from shared.exports.repository.tables import TableRepository
from shared.plans.errors import GrantNotFound, NothingToGrant, OrganizationClosed, OrganizationUnknown
from shared.plans.model import Kind
from shared.plans.repository import PlanRepository
from shared.plans.service import Grants, Plans
from tenant_context.clock import rfc3339, uuid7
from tenant_context.context import TenantContext, at_tenant, from_operator
from tenant_context.errors import FeatureNotInPlan, LimitReached
from tenant_context.plans import COUNTED, PLANS
from tenant_context.postgres import Database, Transaction
from tests.conftest import Clone
from tests.shared.plans.making import (
    LIMIT,
    SOON,
    Nobody,
    Tenants,
    campaign,
    do,
    endpoint,
    give,
    invitation,
    on_plan,
    operator_at,
    put,
    role,
    sensor,
    shown,
    site,
)


def test_postgresql_and_the_kernel_say_the_same_of_every_plan(database: Database, two_tenants: Tenants) -> None:
    ((said,),) = database.read(two_tenants[0], "SELECT app.plans()")
    assert said == {
        name: {"limits": {one: plan.limits[one] for one in COUNTED}, "features": sorted(plan.features)}
        for name, plan in PLANS.items()
    }


def test_a_plan_with_room_for_endpoints_has_webhooks() -> None:
    """A limit without the feature would promise what is refused."""
    assert {name for name, plan in PLANS.items() if plan.limits["webhook_endpoints"] == 0} == {
        name for name, plan in PLANS.items() if "webhooks" not in plan.features
    }


def test_of_a_plan_that_is_none_postgresql_gives_what_starter_gives(
    clone: Clone, database: Database, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    starter = shown(database, acme)
    with clone.connect("owner") as owner:
        owner.execute("ALTER TABLE tenants DROP CONSTRAINT tenants_plan_is_one")
    on_plan(database, acme, "platinum")
    assert shown(database, acme) == starter
    do(database, acme, *[site] * LIMIT, endpoint)
    with pytest.raises(LimitReached):
        do(database, acme, site)
    with pytest.raises(FeatureNotInPlan):
        do(database, acme, role)


def test_no_tenant_is_put_on_a_plan_that_is_none(database: Database, two_tenants: Tenants) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        on_plan(database, two_tenants[0], "platinum")


def test_what_is_taken_away_makes_room(database: Database, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    on_plan(database, acme, "free")
    do(database, acme, site)
    with pytest.raises(LimitReached):
        do(database, acme, site)
    put(database, acme, "DELETE FROM sites WHERE tenant_id = %s")
    do(database, acme, site)


def test_what_was_put_away_does_not_count_until_it_comes_back(database: Database, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    on_plan(database, acme, "free")
    do(database, acme, *[campaign] * 5)
    with pytest.raises(LimitReached):
        do(database, acme, campaign)
    put(database, acme, "UPDATE campaigns SET status = 'archived' WHERE tenant_id = %s")
    do(database, acme, *[campaign] * 5)
    with pytest.raises(LimitReached):
        put(database, acme, "UPDATE campaigns SET status = 'draft' WHERE status = 'archived' AND tenant_id = %s")


def test_what_comes_back_is_judged_by_what_is_allowed_then_and_not_when_it_was_made(
    clone: Clone, two_tenants: Tenants
) -> None:
    """A grant was there when the campaigns were made, and has ended since."""
    acme, _ = two_tenants
    now = [datetime.now(UTC)]
    with closing(Database(clone.settings(), clock=lambda: now[0])) as timed:
        on_plan(timed, acme, "free")
        give(timed, acme, Kind.EXTRA, "campaigns", amount=1, until=now[0] + SOON)
        do(timed, acme, *[campaign] * 6)
        put(timed, acme, "UPDATE campaigns SET status = 'archived' WHERE tenant_id = %s")
        do(timed, acme, *[campaign] * 5)
        now[0] += SOON
        back: LiteralString = """
            UPDATE campaigns SET status = 'draft', updated_at = %s
            WHERE id = (SELECT min(id::text)::uuid FROM campaigns WHERE status = 'archived' AND tenant_id = %s)"""
        with pytest.raises(LimitReached) as refused, timed.transaction(acme) as tx:
            tx.run(back, (tx.now, acme.tenant))
        assert (refused.value.members["value"], refused.value.members["usage"]) == (5, 5)


def test_what_is_brought_from_elsewhere_is_judged_when_it_comes_and_not_when_it_was_made_there(
    database: Database, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    on_plan(database, acme, "free")
    now = database.clock()
    with database.transaction(operator_at(acme)) as tx:
        tx.run(
            "INSERT INTO grants (tenant_id, id, kind, name, amount, reason, created_at, until)"
            " VALUES (%s, %s, 'feature', 'custom_roles', NULL, 'for last year', %s, %s)",
            (acme.tenant, uuid7(), now - timedelta(days=400), now - timedelta(days=200)),
        )
    tables = {table.name: table for table in TableRepository(database).all()}
    long_ago = rfc3339(now - timedelta(days=300))
    line = {"name": "planner", "description": "", "permissions": ["sites.read"], "version": 1}
    row = json.dumps(line | {"created_at": long_ago, "updated_at": long_ago}).encode()
    with pytest.raises(FeatureNotInPlan):
        TableRepository(database).add(acme, tables["roles"], [row])


def test_sensors_count_until_they_are_retired(database: Database, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    on_plan(database, acme, "free")
    with database.transaction(acme) as tx:
        place = site(tx)
    do(database, acme, *[lambda tx: sensor(tx, place)] * 5)
    with pytest.raises(LimitReached):
        do(database, acme, lambda tx: sensor(tx, place))
    put(database, acme, "UPDATE sensors SET status = 'retired' WHERE tenant_id = %s")
    do(database, acme, lambda tx: sensor(tx, place))


def test_people_count_from_their_invitation_on_and_only_while_it_is_open(
    database: Database, two_tenants: Tenants, make_tenant: Callable[[str], TenantContext]
) -> None:
    acme, _ = two_tenants
    on_plan(database, acme, "free")
    do(database, acme, invitation, lambda tx: invitation(tx, timedelta(seconds=-1)), invitation)
    assert shown(database, acme)["users"] == (3, 3, "plan")
    with pytest.raises(LimitReached):
        do(database, acme, invitation)
    stranger = make_tenant("stranger")
    with pytest.raises(LimitReached):  # comes by the organization's identity provider, uninvited
        do(database, acme, lambda tx: tx.run("INSERT INTO memberships VALUES (%s, %s, 'viewer', %s)",
                                             (acme.tenant, stranger.user, tx.now)))  # fmt: skip

    def accept(tx: Transaction) -> None:
        tx.run(
            "UPDATE invitations SET accepted_at = %s WHERE id = (SELECT max(id::text)::uuid FROM invitations)",
            (tx.now,),
        )
        tx.run("INSERT INTO memberships VALUES (%s, %s, 'viewer', %s)", (acme.tenant, stranger.user, tx.now))

    do(database, acme, accept)
    assert shown(database, acme)["users"] == (3, 3, "plan")


def test_a_grant_widens_a_limit_for_its_tenant_and_its_time(database: Database, two_tenants: Tenants) -> None:
    acme, globex = two_tenants
    for tenant in two_tenants:
        on_plan(database, tenant, "free")
        do(database, tenant, site)
    until = datetime.now(UTC) + SOON
    give(database, acme, Kind.EXTRA, "sites", amount=1, until=until)
    do(database, acme, site)
    assert shown(database, acme)["sites"] == (2, 2, "grant")
    for tenant in two_tenants:
        with pytest.raises(LimitReached):
            do(database, tenant, site)
    later = Database(database._settings, clock=lambda: until)
    with closing(later):
        assert shown(later, acme)["sites"] == (1, 2, "plan")
        assert shown(later, globex)["sites"] == (1, 1, "plan")


def test_the_newest_value_holds_and_extras_come_on_top(database: Database, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    give(database, acme, Kind.VALUE, "sites", amount=3)
    assert shown(database, acme)["sites"] == (3, 0, "grant")
    give(database, acme, Kind.EXTRA, "sites", amount=4)
    newest = give(database, acme, Kind.VALUE, "sites", amount=20)
    assert shown(database, acme)["sites"] == (24, 0, "grant")
    grants = Grants(PlanRepository(database), uuid7, Nobody())
    with database.transaction(operator_at(acme)) as tx:
        grants.take_back(tx, newest.id)
    assert shown(database, acme)["sites"] == (7, 0, "grant")
    with pytest.raises(GrantNotFound), database.transaction(operator_at(acme)) as tx:
        grants.take_back(tx, newest.id)
    give(database, acme, Kind.VALUE, "sites")
    assert shown(database, acme)["sites"] == (None, 0, "grant")
    audit = database.read(acme, "SELECT actor, action FROM audit_log WHERE action LIKE 'tenant.grant%%' ORDER BY id")
    assert audit == [("system:operator", f"tenant.grant_{what}") for what in
                     ("given", "given", "given", "taken_back", "given")]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "name", "more"),
    [
        (Kind.VALUE, "unicorns", {}),
        (Kind.FEATURE, "sites", {}),
        (Kind.EXTRA, "sites", {}),
        (Kind.FEATURE, "sso", {"amount": 3}),
        (Kind.EXTRA, "sites", {"amount": 1, "until": datetime(2020, 1, 1, tzinfo=UTC)}),
    ],
)
def test_what_no_plan_knows_is_not_granted(
    database: Database, two_tenants: Tenants, kind: Kind, name: str, more: dict[str, Any]
) -> None:
    with pytest.raises(NothingToGrant):
        give(database, two_tenants[0], kind, name, **more)


def test_nothing_is_granted_to_nobody(database: Database) -> None:
    nobody = at_tenant(from_operator("the tests"), uuid7())
    with pytest.raises(OrganizationUnknown):
        give(database, nobody, Kind.FEATURE, "sso")


def test_nothing_is_granted_to_who_is_closed(database: Database, clone: Clone, two_tenants: Tenants) -> None:
    with clone.connect() as admin:
        admin.execute("UPDATE tenants SET status = 'closed' WHERE tenant_id = %s", (two_tenants[0].tenant,))
    with pytest.raises(OrganizationClosed):
        give(database, two_tenants[0], Kind.FEATURE, "sso")
    with clone.connect() as admin:
        assert admin.execute("SELECT count(*) FROM grants").fetchall() == [(0,)]


def test_only_an_operator_reaches_into_a_tenant(two_tenants: Tenants) -> None:
    with pytest.raises(TypeError):
        at_tenant(two_tenants[0], two_tenants[1].tenant)


@pytest.mark.parametrize(
    ("plan", "subscription", "allowed"),
    [
        ("free", "active", {"webhooks"}),
        ("starter", "active", {"webhooks"}),
        ("professional", "active", {"webhooks", "custom_roles"}),
        ("free", "trialing", {"webhooks", "custom_roles"}),
    ],
)
def test_a_feature_is_there_with_the_plan_or_on_trial(
    database: Database, two_tenants: Tenants, plan: str, subscription: str, allowed: set[str]
) -> None:
    acme, _ = two_tenants
    on_plan(database, acme, plan, subscription)
    found, refused = set(), set()
    for feature, work in (("webhooks", endpoint), ("custom_roles", role)):
        try:
            do(database, acme, work)
            found.add(feature)
        except FeatureNotInPlan as error:
            refused.add(error.members["feature"])
    assert (found, refused) == (allowed, {"webhooks", "custom_roles"} - allowed)


def test_a_granted_feature_is_there_and_goes_with_its_grant(database: Database, two_tenants: Tenants) -> None:
    acme, globex = two_tenants
    for tenant in two_tenants:
        on_plan(database, tenant, "free")
    given = give(database, acme, Kind.FEATURE, "custom_roles")
    do(database, acme, role)
    with pytest.raises(FeatureNotInPlan):
        do(database, globex, role)
    with database.transaction(operator_at(acme)) as tx:
        Grants(PlanRepository(database), uuid7, Nobody()).take_back(tx, given.id)
    with pytest.raises(FeatureNotInPlan):
        do(database, acme, role)


def test_before_billing_began_every_feature_is_there(database: Database, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    do(database, acme, role, endpoint)
    found = Plans(PlanRepository(database), Nobody(), database.clock).allowances(acme, acme.tenant)
    assert {one.feature for one in found.features if one.on} == {"custom_roles", "sso", "webhooks"}


def test_another_tenants_limits_are_not_shown(database: Database, two_tenants: Tenants) -> None:
    acme, globex = two_tenants
    with pytest.raises(OrganizationUnknown):
        Plans(PlanRepository(database), Nobody(), database.clock).allowances(acme, globex.tenant)


@pytest.mark.parametrize("reason", ["two\nlines", "turned \u202eround", "NUL \x00", "", " "])
def test_why_an_operator_did_it_is_one_line_that_reads_as_it_is_written(reason: str) -> None:
    with pytest.raises(ValidationError):
        GrantIn.model_validate({"kind": "feature", "name": "sso", "reason": reason})
