"""Reads that may be some milliseconds old go to a reader, where there is one."""

import dataclasses

import pytest

from tenant_context.clock import uuid7
from tenant_context.context import TenantContext
from tenant_context.kernel import Kernel
from tenant_context.postgres import Database
from tests.conftest import Clone, owner_of


@pytest.fixture
def kernel(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    for name, value in dataclasses.asdict(clone.settings()).items():
        monkeypatch.setenv(f"RMAP_DATABASE_{name.upper()}", str(value))
    monkeypatch.setenv("RMAP_STAGE", "local")
    return Kernel("test")


def _answers(tenant: TenantContext, database: Database) -> bool:
    """Whether a read in the tenant is answered, over a connection of this database."""
    assert database.read(tenant, "SELECT current_setting('app.tenant_id')")[0][0] == str(tenant.tenant)
    return database.round_trips > 0


@pytest.mark.parametrize("reader", ["", "127.0.0.1"])
def test_without_a_reader_of_its_own_it_is_the_database_itself(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch, reader: str
) -> None:
    monkeypatch.setenv("RMAP_DATABASE_READER_HOST", reader)
    database = kernel.database()
    assert kernel.replica(database) is database


def test_a_reader_answers_for_the_same_tenant_over_a_connection_of_its_own(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RMAP_DATABASE_READER_HOST", "localhost")
    database = kernel.database()
    replica = kernel.replica(database)
    try:
        assert replica is not database
        assert _answers(owner_of(uuid7(), uuid7()), replica)
        assert database.round_trips == 0
    finally:
        replica.close()
