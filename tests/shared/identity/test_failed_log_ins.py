"""Failed log-ins as the audit log tells them, on a real database: whose they were, and nothing of nobody's."""

from dataclasses import replace
from itertools import count
from typing import Any
from uuid import UUID

import pytest

from shared.identity.errors import TooManyTries, WrongCredentials
from shared.identity.gateway.passwords import Passwords
from shared.identity.service.sign_in import Identity
from tenant_context.aws import AwsClient
from tenant_context.clock import utc_now
from tenant_context.context import TenantContext
from tenant_context.postgres import Database
from tests.conftest import Clone, MakeTenant
from tests.shared.identity.services import CALLER, Stores

PASSWORD, KNOWN = "the password of acme", "owner@acme.example"
UNKNOWN, HOMELESS, NO_ADDRESS = "nobody@nowhere.example", "owner@globex.example", "nobody"
_HOSTS = count(1)


class Untouched:
    """A bus that nobody is to call."""

    def publish(self, *_: Any) -> list[UUID]:
        raise AssertionError("a failed log-in called the bus")


@pytest.fixture
def acme(make_tenant: MakeTenant, clone: Clone) -> TenantContext:
    """A tenant whose owner has a password; and a user who is in no tenant any more."""
    tenant, globex = make_tenant("acme"), make_tenant("globex")
    with clone.connect() as admin:
        admin.execute("UPDATE users SET password_hash = %s", (cheap().hash(PASSWORD),))
        admin.execute("DELETE FROM memberships WHERE tenant_id = %s", (globex.tenant,))
    return tenant


@pytest.fixture
def identity(stores: Stores, wire: AwsClient) -> Identity:
    return stores.identity(wire, cheap())


def cheap() -> Passwords:
    return Passwords(time_cost=1, memory_kib=8, lanes=1)


def fails(identity: Identity, email: str, address: str = "", organization: str | None = None) -> None:
    """A guess, from an address of its own unless it is said."""
    caller = replace(CALLER, source_ip=address or f"203.0.113.{next(_HOSTS)}")
    with pytest.raises(WrongCredentials):
        identity.log_in(email, "not the password", organization, caller)


def told(clone: Clone) -> list[tuple[Any, ...]]:
    with clone.connect() as admin:
        return admin.execute(
            "SELECT tenant_id, actor, subject, source_ip, details ->> 'reason' FROM audit_log "
            "WHERE action = 'security.sign_in_failed' ORDER BY id"
        ).fetchall()


def written(clone: Clone) -> list[object]:
    """How many rows every table has."""
    with clone.connect() as admin:
        tables = admin.execute(
            "SELECT quote_ident(table_name) FROM information_schema.tables "
            "WHERE table_schema = 'public' AND table_type = 'BASE TABLE' ORDER BY 1"
        ).fetchall()
        return [admin.execute(f"SELECT count(*) FROM {name}").fetchone() for (name,) in tables]


def test_a_wrong_password_is_told_with_whose_account_and_from_where(
    identity: Identity, acme: TenantContext, clone: Clone
) -> None:
    fails(identity, KNOWN, "192.0.2.66")
    nobody = "user:00000000-0000-0000-0000-000000000000"
    assert told(clone) == [(acme.tenant, nobody, f"user/{acme.user}", "192.0.2.66", "wrong-password")]


@pytest.mark.parametrize("organization", [None, "acme", "globex", "nowhere"])
def test_whatever_organization_a_guesser_names_one_of_the_users_hears(
    identity: Identity, acme: TenantContext, clone: Clone, organization: str | None
) -> None:
    fails(identity, KNOWN, organization=organization)
    assert [row[0] for row in told(clone)] == [acme.tenant]


@pytest.mark.usefixtures("acme")
@pytest.mark.parametrize("email", [UNKNOWN, HOMELESS, NO_ADDRESS])
def test_of_nobody_nothing_is_written(identity: Identity, clone: Clone, email: str) -> None:
    before = written(clone)
    fails(identity, email)
    assert written(clone) == before


@pytest.mark.usefixtures("acme")
def test_whoever_asks_costs_the_database_the_same(identity: Identity, stores: Stores) -> None:
    database, costs = stores.database, dict[str, tuple[int, int]]()
    for email in (KNOWN, UNKNOWN, HOMELESS, NO_ADDRESS, KNOWN):
        before = database.statements, database.round_trips
        fails(identity, email)
        costs[email] = (database.statements - before[0], database.round_trips - before[1])
    assert len(set(costs.values())) == 1, costs


def test_a_failure_is_left_to_the_relay(stores: Stores, wire: AwsClient, acme: TenantContext, clone: Clone) -> None:
    """To publish it at once takes a call that nobody's failure does not take."""
    publishing = Database(clone.settings(), clock=utc_now, publisher=Untouched())
    fails(replace(stores, database=publishing).identity(wire, cheap()), KNOWN)
    publishing.close()
    with clone.connect() as admin:
        rows = admin.execute("SELECT tenant_id, type, published_at FROM outbox").fetchall()
    assert rows == [(acme.tenant, "security.sign_in_failed", None)]


@pytest.mark.usefixtures("acme")
def test_whoever_is_kept_waiting_leaves_no_entry(identity: Identity, stores: Stores, clone: Clone) -> None:
    let_through = 0
    for _ in range(40):
        try:
            identity.log_in(KNOWN, "not the password", None, CALLER)
        except WrongCredentials:
            let_through += 1
        except TooManyTries:
            stores.clock.passed += 0.2
    assert let_through < 12
    assert len(told(clone)) == let_through
