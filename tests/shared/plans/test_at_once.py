"""Limits are exact whoever creates at once, on PostgreSQL."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Barrier

import pytest

from shared.plans.model import Kind
from tenant_context.clock import uuid7
from tenant_context.errors import LimitReached
from tenant_context.postgres import Database, Transaction
from tests.conftest import Clone
from tests.shared.plans.making import (
    ATTEMPTS,
    CONNECTIONS,
    LIMIT,
    REFUSAL,
    Tenants,
    campaign,
    do,
    endpoint,
    give,
    invitation,
    sensor,
    shown,
    site,
)


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
