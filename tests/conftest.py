"""What tests share: one local cloud for the whole run, a database of its own for each test, two tenants."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import LiteralString
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from psycopg import sql

from functions.migrations.runner import migrate
from local import stack as local_stack
from local.instance import TEST, Instance
from local.stack import Stack
from tenant_context.clock import utc_now, uuid7
from tenant_context.context import Source, TenantContext, TenantId, UserId, from_credentials
from tenant_context.permissions import ROLES
from tenant_context.postgres import Database
from tenant_context.settings import DatabaseSettings
from tests.dynamo import dynamo_table
from tests.emitted import wrong

ROOT = Path(__file__).parent.parent

# A busy machine is slow, and that says nothing of the code: no example is judged by its time.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what has to be alone with the platform, where it is not; `make test` runs it afterwards."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        for item in items:
            if item.get_closest_marker("alone"):
                item.add_marker(pytest.mark.skip(reason="has to be alone with the platform: pytest -m alone"))


@pytest.fixture(scope="session")
def servers() -> Stack:
    """PostgreSQL, the AWS endpoint and the stand-ins, running; nothing needs to be deployed."""
    running = local_stack.start(TEST, deploy=False)
    os.environ.update(running.aws_environment())
    return running


@pytest.fixture(scope="session")
def stack() -> Stack:
    """The same with the platform's own stacks deployed on it."""
    running = local_stack.start(TEST)
    os.environ.update(running.aws_environment())
    return running


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process of the run at a time."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _migrations_hash() -> str:
    digest = sha256()
    for path in sorted((ROOT / "functions" / "migrations").rglob("*.*")):
        if path.suffix in {".py", ".sql"}:
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


@pytest.fixture(scope="session")
def template(servers: Stack) -> str:
    """The name of a migrated, empty database that others are cloned from."""
    name = f"template_{_migrations_hash()}"
    with (
        _alone(Instance.of(TEST).folder / "template.lock"),
        psycopg.connect(servers.database_admin_url, autocommit=True) as admin,
    ):
        if admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
            return name
        making = f"{name}_making"
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(making)))
        admin.execute(sql.SQL("CREATE DATABASE {} OWNER rmap_owner").format(sql.Identifier(making)))
        with psycopg.connect(servers.database_url, dbname=making) as owner:
            migrate(owner)
        admin.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(making), sql.Identifier(name)))
    return name


@dataclass(frozen=True)
class Clone:
    """A database of one test: its name and ways in."""

    name: str
    servers: Stack

    def settings(self) -> DatabaseSettings:
        """How a function would find it, as the role that owns nothing."""
        address = urlsplit(self.servers.database_app_url)
        return DatabaseSettings(
            host=address.hostname or "",
            port=address.port or 0,
            name=self.name,
            user="rmap_app",
            auth="secret",
            secret="rmap/local/database/app",
        )

    def connect(self, role: str = "admin") -> psycopg.Connection[tuple[object, ...]]:
        """A plain connection as `admin` (superuser), `owner` or `app`."""
        urls = {
            "admin": self.servers.database_admin_url,
            "owner": self.servers.database_url,
            "app": self.servers.database_app_url,
        }
        return psycopg.connect(urls[role], dbname=self.name, autocommit=True)


@pytest.fixture
def table_name(servers: Stack) -> Iterator[str]:
    """An empty table of DynamoDB, by its name."""
    with dynamo_table(servers) as made:
        yield made


# Emitting writes both; a row that a test made up stands in the outbox alone.
_EMITTED: LiteralString = "SELECT o.type, o.data FROM outbox o JOIN audit_log a USING (tenant_id, id)"


@pytest.fixture
def clone(template: str, servers: Stack, request: pytest.FixtureRequest) -> Iterator[Clone]:
    """A fresh, migrated database. What a test emits there is held to the catalogue's schemas in the end."""
    name = f"test_{uuid4().hex[:16]}"
    with psycopg.connect(servers.database_admin_url, autocommit=True) as admin:
        admin.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY OWNER rmap_owner").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
        made = Clone(name, servers)
        yield made
        with made.connect() as looking:
            told = looking.execute(_EMITTED).fetchall()
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
    # The kernel carries events and knows none: its own tests make them up.
    if not request.path.is_relative_to(ROOT / "tests" / "tenant_context"):
        assert wrong((str(kind), data) for kind, data in told) == []


@pytest.fixture
def database(clone: Clone) -> Iterator[Database]:
    """The kernel's database on the clone, as functions use it."""
    opened = Database(clone.settings(), clock=utc_now)
    yield opened
    opened.close()


MakeTenant = Callable[[str], TenantContext]


@pytest.fixture
def make_tenant(database: Database) -> MakeTenant:
    """Makes a tenant with an owner; answers the owner's context."""

    def make(slug: str) -> TenantContext:
        tenant, user = uuid7(), uuid7()
        now = datetime.now(UTC)
        with database.transaction(from_credentials(tenant, user, Source.SIGN_UP, f"make {slug}")) as tx:
            tx.run(
                "INSERT INTO tenants (tenant_id, slug, name, created_at, updated_at) VALUES (%s, %s, %s, %s, %s)",
                (tenant, slug, slug.title(), now, now),
            )
            tx.run(
                "INSERT INTO users (user_id, email, name, password_hash, created_at, updated_at)"
                " VALUES (%s, %s, %s, 'none', %s, %s)",
                (user, f"owner@{slug}.example", f"Owner of {slug}", now, now),
            )
            tx.run("INSERT INTO memberships VALUES (%s, %s, 'owner', %s)", (tenant, user, now))
        return owner_of(tenant, user)

    return make


def owner_of(tenant: UUID, user: UUID) -> TenantContext:
    """The context of a signed-in owner."""
    return TenantContext(
        tenant=TenantId(tenant),
        user=UserId(user),
        role="owner",
        permissions=ROLES["owner"],
        source=Source.TOKEN,
        request_id="test-request",
        session=str(uuid7()),
    )


@pytest.fixture
def two_tenants(make_tenant: MakeTenant) -> tuple[TenantContext, TenantContext]:
    """Acme and Globex."""
    return make_tenant("acme"), make_tenant("globex")
