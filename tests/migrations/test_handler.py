"""The custom resource of a deployment: Create and Update migrate, Delete keeps everything, a failure is raised."""

import importlib
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest

from tenant_context.postgres import open_connection
from tenant_context.settings import DatabaseSettings
from tests.migrations.conftest import Connection, Empty
from tests.migrations.test_migrate import HEAD

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]
CONTEXT = SimpleNamespace(aws_request_id="deploy-1")


@pytest.fixture
def handler(empty: Empty, monkeypatch: pytest.MonkeyPatch) -> Iterator[Handler]:
    """The function as a sandbox wires it, beside the database of this test; what it leaves open ends with it."""
    address = urlsplit(empty.servers.database_url)
    variables = {
        "RMAP_STAGE": "local",
        "RMAP_DATABASE_HOST": address.hostname or "",
        "RMAP_DATABASE_PORT": str(address.port),
        "RMAP_DATABASE_NAME": empty.name,
        "RMAP_DATABASE_USER": "rmap_owner",
        "RMAP_DATABASE_AUTH": "secret",
        "RMAP_DATABASE_SECRET": "rmap/local/database/owner",
        "POWERTOOLS_METRICS_NAMESPACE": "RMAP",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delitem(sys.modules, "functions.migrations.handler", raising=False)
    module = importlib.import_module("functions.migrations.handler")
    opened: list[Connection] = []

    def remembered(settings: DatabaseSettings) -> Connection:
        opened.append(open_connection(settings))
        return opened[-1]

    monkeypatch.setattr(module, "open_connection", remembered)
    wired: Handler = module.handler
    yield wired
    for connection in opened:
        connection.close()


def applied(empty: Empty) -> str:
    with empty.admin() as admin:
        row = admin.execute("SELECT to_regclass('public.tenants')::text").fetchone()
    return str(row[0]) if row else ""


def test_create_migrates_and_says_to_what(handler: Handler) -> None:
    answer = handler({"RequestType": "Create"}, CONTEXT)
    assert answer == {"PhysicalResourceId": "rmap-schema", "Data": {"Revision": HEAD}}


def test_update_finds_nothing_left_to_do(handler: Handler) -> None:
    assert handler({"RequestType": "Create"}, CONTEXT) == handler({"RequestType": "Update"}, CONTEXT)


def test_delete_keeps_the_schema_and_its_data(handler: Handler, empty: Empty) -> None:
    handler({"RequestType": "Create"}, CONTEXT)
    assert handler({"RequestType": "Delete"}, CONTEXT)["Data"] == {"Revision": "kept"}
    assert applied(empty) == "tenants"


def test_delete_needs_no_database(handler: Handler, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or a deployment whose database is gone could never be taken down."""
    monkeypatch.setenv("RMAP_DATABASE_PORT", "1")
    assert handler({"RequestType": "Delete"}, CONTEXT)["PhysicalResourceId"] == "rmap-schema"


def test_no_connection_is_left_behind(handler: Handler, empty: Empty) -> None:
    """A deployment's connection that idles on holds up a clone of the database, and one more for every deploy."""
    handler({"RequestType": "Create"}, CONTEXT)
    with empty.admin() as admin:
        others = admin.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()", (empty.name,)
        ).fetchone()
    assert others == (0,)
