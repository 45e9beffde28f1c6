"""Databases with nothing in them yet."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from functions.migrations import runner
from local.stack import Stack

Connection = psycopg.Connection[tuple[object, ...]]


@dataclass(frozen=True)
class Empty:
    """A database of one test, and ways in."""

    name: str
    servers: Stack

    def owner(self) -> Connection:
        """As a deployment connects."""
        return psycopg.connect(self.servers.database_url, dbname=self.name)

    def migrate(self, target: str = "head") -> tuple[str, str]:
        """Migrate as a deployment does; the revisions before and after."""
        with self.owner() as connection:
            return runner.migrate(connection, target)

    def admin(self) -> Connection:
        """As nobody's policies bind."""
        return psycopg.connect(self.servers.database_admin_url, dbname=self.name, autocommit=True)

    def app(self) -> Connection:
        """As functions connect."""
        return psycopg.connect(self.servers.database_app_url, dbname=self.name, autocommit=True)


@pytest.fixture
def empty(servers: Stack) -> Iterator[Empty]:
    """A fresh database of the owner's."""
    name = f"migrate_{uuid4().hex[:12]}"
    with psycopg.connect(servers.database_admin_url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} OWNER rmap_owner").format(sql.Identifier(name)))
        yield Empty(name, servers)
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
