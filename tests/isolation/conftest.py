"""One filled database for each test process."""

from collections.abc import Iterator
from typing import cast
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from local.stack import Stack
from tests.isolation.tables import World


@pytest.fixture(scope="session")
def world(template: str, servers: Stack) -> Iterator[World]:
    """Every table with a row of Acme's and one of Globex's. Tests leave it as they found it."""
    name = f"isolation_{uuid4().hex[:12]}"
    with psycopg.connect(servers.database_admin_url, autocommit=True) as admin:
        admin.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER rmap_owner").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
        try:
            with psycopg.connect(servers.database_admin_url, dbname=name, autocommit=True) as inside:
                made = World(cast("psycopg.Connection[tuple[object, ...]]", inside))
                made.read_catalog()
                made.fill()
                yield made
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
