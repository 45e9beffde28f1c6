"""The committed description is current, valid, complete, and its examples are what it says they are."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from openapi_spec_validator import OpenAPIV31SpecValidator

from infra import catalog
from infra.vocabulary import Http
from local.openapi import roles
from local.openapi.__main__ import PLACE
from local.openapi.discovery import discover
from local.openapi.document import describe, written

METHODS = {"get", "put", "post", "delete", "patch"}
ROUTES = [route for function in discover() for route in function.routes]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return describe()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert method in METHODS
            yield path, method, operation


def test_the_committed_description_is_current(document: dict[str, Any]) -> None:
    assert (PLACE / "openapi.json").read_text() == written(document), "run `make openapi` and commit docs/api"
    assert (PLACE / "roles.md").read_text() == roles.written(), "run `make openapi` and commit docs/api"


def test_it_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_route_is_described(document: dict[str, Any], route: Any) -> None:
    operation = document["paths"][route.path][route.method.lower()]
    assert operation["operationId"] == route.operation
    assert operation["summary"]
    assert str(route.status) in operation["responses"]
    named = {parameter["name"] for parameter in operation.get("parameters", ()) if parameter.get("in") == "path"}
    assert named == set(re.findall(r"\{(\w+)\}", route.path))
    if route.permission and "." in route.permission:
        assert operation["x-permission"] == route.permission


def test_every_http_function_of_the_catalog_is_described() -> None:
    wanted = {row.name for row in catalog.FUNCTIONS if row.has(Http)}
    assert {function.name for function in discover()} == wanted


def test_operation_ids_are_unique(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(ids) == len(set(ids))


def test_every_operation_says_how_to_prove_oneself_and_what_can_go_wrong(document: dict[str, Any]) -> None:
    schemes = document["components"]["securitySchemes"]
    for _, _, operation in operations(document):
        assert all(name in schemes for choice in operation["security"] for name in choice)
        assert "500" in operation["responses"]
        assert bool(operation["security"]) <= ("401" in operation["responses"])


def test_updates_ask_for_the_version_and_writes_take_a_key(document: dict[str, Any]) -> None:
    amend = document["paths"]["/api/v1/campaigns/{campaign_id}"]["put"]
    references = {parameter.get("$ref") for parameter in amend["parameters"]}
    assert {"#/components/parameters/If-Match", "#/components/parameters/Idempotency-Key"} <= references
    assert {"412", "428", "409", "422"} <= amend["responses"].keys()
    assert "ETag" in amend["responses"]["200"]["headers"]


def test_every_example_fits_its_schema(document: dict[str, Any]) -> None:
    for path, _, operation in operations(document):
        bodies = [operation["requestBody"]] if "requestBody" in operation else []
        for part in [*bodies, *operation["responses"].values()]:
            for content in part.get("content", {}).values():
                if "example" in content:
                    schema = {**content["schema"], "components": document["components"]}
                    problems = list(Draft202012Validator(schema).iter_errors(content["example"]))
                    assert problems == [], (path, json.dumps(content["example"]))


def test_nothing_of_the_machine_is_in_it() -> None:
    for file in PLACE.iterdir():
        text = file.read_text()
        assert str(Path.home()) not in text
        assert str(PLACE.parents[1]) not in text
