"""Limits and features of plans, on PostgreSQL: exact whoever creates at once, wider by grants, each tenant its own."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any, LiteralString
from uuid import UUID

import psycopg
import pytest

from shared.plans.errors import GrantNotFound, NothingToGrant, OrganizationUnknown
from shared.plans.model import Grant, Kind
from shared.plans.repository import PlanRepository
from shared.plans.service import Grants, Plans
from tenant_context.clock import uuid7
from tenant_context.context import TenantContext, at_tenant, from_operator
from tenant_context.errors import FeatureNotInPlan, LimitReached
from tenant_context.plans import COUNTED, PLANS
from tenant_context.postgres import Database, Transaction
from tests.conftest import Clone

Tenants = tuple[TenantContext, TenantContext]
LIMIT, ATTEMPTS, CONNECTIONS = 10, 1000, 40
REFUSAL = {"limit": "sites", "value": LIMIT, "usage": LIMIT, "resets_at": None}
SOON = timedelta(minutes=5)


class Nobody:
    """No door to tell, and nothing counted today."""

    def tell(self, tx: Transaction) -> None:
        """Tell nobody."""

    def today(self, tenant: UUID, now: datetime) -> tuple[int, int]:  # noqa: ARG002  as the real one is asked
        return 70, 7


def site(tx: Transaction) -> UUID:
    made = uuid7()
    tx.run(
        "INSERT INTO sites (tenant_id, id, name, code, time_zone, created_at, updated_at)"
        " VALUES (%s, %s, 'Main', %s, 'UTC', %s, %s)",
        (tx.tenant.tenant, made, made.hex, tx.now, tx.now),
    )
    return made


def campaign(tx: Transaction) -> UUID:
    made = uuid7()
    tx.run(
        "INSERT INTO campaigns (tenant_id, id, name, type, status, budget, currency, version, created_by, created_at,"
        " updated_at) VALUES (%s, %s, 'Spring', 'in_store', 'draft', 1, 'EUR', 1, %s, %s, %s)",
        (tx.tenant.tenant, made, tx.tenant.user, tx.now, tx.now),
    )
    return made


def invitation(tx: Transaction, expires_in: timedelta = SOON) -> UUID:
    made = uuid7()
    tx.run(
        "INSERT INTO invitations (tenant_id, id, email, role, invited_by, created_at, expires_at)"
        " VALUES (%s, %s, 'x@acme.example', 'viewer', %s, %s, %s)",
        (tx.tenant.tenant, made, tx.tenant.user, tx.now, tx.now + expires_in),
    )
    return made


def sensor(tx: Transaction, place: UUID) -> UUID:
    made = uuid7()
    tx.run(
        "INSERT INTO sensors (tenant_id, id, site_id, name, serial, kind, interval_minutes, created_at, updated_at)"
        " VALUES (%s, %s, %s, 'Door', %s, 'line', 15, %s, %s)",
        (tx.tenant.tenant, made, place, made.hex, tx.now, tx.now),
    )
    return made


def endpoint(tx: Transaction) -> UUID:
    made = uuid7()
    tx.run(
        "INSERT INTO webhook_endpoints (tenant_id, id, url, event_types, secret, created_at, updated_at)"
        " VALUES (%s, %s, 'https://x.example', '{*}', 'x', %s, %s)",
        (tx.tenant.tenant, made, tx.now, tx.now),
    )
    return made


def role(tx: Transaction) -> None:
    tx.run(
        "INSERT INTO roles (tenant_id, name, description, permissions, created_at, updated_at)"
        " VALUES (%s, %s, '', '{sites.read}', %s, %s)",
        (tx.tenant.tenant, f"role-{uuid7().hex[-8:]}", tx.now, tx.now),
    )


def do(database: Database, tenant: TenantContext, *works: Callable[[Transaction], Any]) -> None:
    """Each in a transaction of its own."""
    for work in works:
        with database.transaction(tenant) as tx:
            work(tx)


def put(database: Database, tenant: TenantContext, statement: LiteralString, *values: Any) -> None:
    do(database, tenant, lambda tx: tx.run(statement, (*values, tenant.tenant)))


def on_plan(database: Database, tenant: TenantContext, plan: str, subscription: str = "active") -> None:
    put(
        database,
        tenant,
        "UPDATE tenants SET plan = %s, status = 'active', subscription_status = %s WHERE tenant_id = %s",
        plan,
        subscription,
    )


def operator_at(tenant: TenantContext) -> TenantContext:
    return at_tenant(from_operator("the tests"), tenant.tenant)


def give(database: Database, tenant: TenantContext, kind: Kind, name: str, **more: Any) -> Grant:
    grants = Grants(PlanRepository(database), uuid7, Nobody())
    said = {"amount": None, "until": None, "reason": "asked for it", **more}
    with database.transaction(operator_at(tenant)) as tx:
        return grants.give(tx, kind, name, **said)


def shown(database: Database, tenant: TenantContext) -> dict[str, tuple[int | None, float, str]]:
    found = Plans(PlanRepository(database), Nobody(), database.clock).allowances(tenant, tenant.tenant)
    return {one.limit: (one.value, one.usage, one.source) for one in found.limits}


def test_postgresql_and_the_kernel_say_the_same_of_every_plan(database: Database, two_tenants: Tenants) -> None:
    ((said,),) = database.read(two_tenants[0], "SELECT app.plans()")
    assert said == {
        name: {"limits": {one: plan.limits[one] for one in COUNTED}, "features": sorted(plan.features)}
        for name, plan in PLANS.items()
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


def test_a_thousand_creations_at_once_leave_exactly_as_many_as_the_limit(
    clone: Clone, database: Database, two_tenants: Tenants
) -> None:
    acme, globex = two_tenants
    assert shown(database, acme)["sites"][0] == LIMIT

    def slowly(tx: Transaction) -> None:
        site(tx)
        tx.one("SELECT pg_sleep(0.02)")  # the others come while it is not committed

    together = Barrier(CONNECTIONS)

    def create(_: int) -> Counter[str]:
        outcomes: Counter[str] = Counter()
        with closing(Database(clone.settings(), clock=database.clock)) as own:
            do(own, globex, campaign)
            together.wait()
            for _attempt in range(ATTEMPTS // CONNECTIONS):
                try:
                    do(own, acme, slowly)
                    outcomes["made"] += 1
                except LimitReached as error:
                    outcomes["refused"] += error.members == REFUSAL
        return outcomes

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        outcomes = sum(pool.map(create, range(CONNECTIONS)), Counter[str]())
    assert outcomes == {"made": LIMIT, "refused": ATTEMPTS - LIMIT}
    assert shown(database, acme)["sites"] == (LIMIT, LIMIT, "plan")
    assert (shown(database, globex)["sites"][1], shown(database, globex)["campaigns"][1]) == (0, CONNECTIONS)


@pytest.mark.parametrize("thing", ["users", "campaigns", "sensors", "webhook_endpoints"])
def test_of_every_counted_thing_a_thousand_creations_leave_exactly_as_many_as_the_limit(
    clone: Clone, database: Database, two_tenants: Tenants, thing: str
) -> None:
    acme, _ = two_tenants
    makers = {"users": invitation, "campaigns": campaign, "webhook_endpoints": endpoint}
    with database.transaction(acme) as tx:
        place = site(tx)
    create = makers.get(thing, lambda tx: sensor(tx, place))
    had = int(shown(database, acme)[thing][1])
    give(database, acme, Kind.VALUE, thing, amount=had + LIMIT)
    together = Barrier(CONNECTIONS)

    def attempt(_: int) -> Counter[str]:
        outcomes: Counter[str] = Counter()
        with closing(Database(clone.settings(), clock=database.clock)) as own:
            together.wait()
            for _attempt in range(ATTEMPTS // CONNECTIONS):
                try:
                    do(own, acme, create)
                    outcomes["made"] += 1
                except LimitReached:
                    outcomes["refused"] += 1
        return outcomes

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        outcomes = sum(pool.map(attempt, range(CONNECTIONS)), Counter[str]())
    assert outcomes == {"made": LIMIT, "refused": ATTEMPTS - LIMIT}
    assert shown(database, acme)[thing][:2] == (had + LIMIT, had + LIMIT)


def test_people_asked_and_people_coming_in_at_once_share_one_limit(
    clone: Clone, database: Database, two_tenants: Tenants
) -> None:
    """Two tables, one lock: half of them invite, half come in by the organization's identity provider."""
    acme, _ = two_tenants
    people = [[uuid7() for _ in range(LIMIT)] for _ in range(CONNECTIONS // 2)]
    with clone.connect() as admin:
        admin.execute(
            "INSERT INTO users (user_id, email, name, password_hash, created_at, updated_at)"
            " SELECT one, one || '@acme.example', 'Somebody', 'none', now(), now() FROM unnest(%s::uuid[]) one",
            ([person for some in people for person in some],),
        )
    had = int(shown(database, acme)["users"][1])
    give(database, acme, Kind.VALUE, "users", amount=had + LIMIT)
    together = Barrier(CONNECTIONS)

    def attempt(number: int) -> Counter[str]:
        outcomes: Counter[str] = Counter()
        coming = list(people[number // 2]) if number % 2 else []

        def create(tx: Transaction) -> None:
            if coming:
                values = (acme.tenant, coming[-1], tx.now)
                tx.run("INSERT INTO memberships VALUES (%s, %s, 'viewer', %s)", values)
            else:
                invitation(tx)
            tx.one("SELECT pg_sleep(0.02)")  # the others come while it is not committed

        with closing(Database(clone.settings(), clock=database.clock)) as own:
            together.wait()
            for _attempt in range(ATTEMPTS // CONNECTIONS):
                kind = "came in" if coming else "asked"
                try:
                    do(own, acme, create)
                except LimitReached:
                    outcomes[f"{kind}, refused"] += 1
                else:
                    outcomes[kind] += 1
                    coming[-1:] = []
        return outcomes

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        outcomes = sum(pool.map(attempt, range(CONNECTIONS)), Counter[str]())
    assert outcomes["came in"] + outcomes["asked"] == LIMIT
    assert outcomes["came in, refused"] + outcomes["asked, refused"] == ATTEMPTS - LIMIT
    assert min(outcomes["came in, refused"], outcomes["asked, refused"]) >= ATTEMPTS // 2 - LIMIT
    assert shown(database, acme)["users"] == (had + LIMIT, had + LIMIT, "grant")


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


def test_only_an_operator_reaches_into_a_tenant(two_tenants: Tenants) -> None:
    with pytest.raises(TypeError):
        at_tenant(two_tenants[0], two_tenants[1].tenant)


@pytest.mark.parametrize(
    ("plan", "subscription", "allowed"),
    [
        ("free", "active", set()),
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
