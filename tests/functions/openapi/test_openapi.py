"""The committed description is current, valid, complete, and its examples are what it says they are."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from jsonschema import Draft202012Validator, FormatChecker  # type: ignore[import-untyped]
from openapi_spec_validator import OpenAPIV31SpecValidator

from infra import catalog
from infra.vocabulary import Http
from local.openapi import roles
from local.openapi.__main__ import PLACE
from local.openapi.discovery import discover
from local.openapi.document import describe, written
from shared.metrics.service.cache import Level

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


@pytest.mark.parametrize("place", ["/api/v1/metrics", "/api/v1/sites/{site_id}/metrics"])
def test_metrics_say_whether_they_were_kept_and_exports_what_they_are(document: dict[str, Any], place: str) -> None:
    said = document["paths"][place]["get"]["responses"]["200"]
    assert "X-Cache" in said["headers"]
    exported = document["paths"][f"{place}/export"]["get"]["responses"]["200"]
    assert set(exported["content"]) == {"text/csv; charset=utf-8", "application/vnd.apache.parquet"}
    assert {"X-Freshness", "X-Sales-Freshness"} <= set(exported["headers"])
    levels = document["components"]["headers"]["X-Cache"]["schema"]["enum"]
    assert levels == [level.value for level in Level]


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


FORMATS = FormatChecker(())


def is_uuid(text: object) -> bool:
    return not isinstance(text, str) or str(UUID(text)) == text


def is_moment(text: object) -> bool:
    return not isinstance(text, str) or datetime.fromisoformat(text).tzinfo is not None


def is_day(text: object) -> bool:
    return not isinstance(text, str) or bool(date.fromisoformat(text))


for form, check in {"uuid": is_uuid, "date-time": is_moment, "date": is_day}.items():
    FORMATS.checks(form, ValueError)(check)


def examples(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Every example, with where it stands and its schema: those of bodies, answers and shared answers."""
    shared = document["components"]["responses"].items()
    for place, part in [
        *((f"{path} body", one["requestBody"]) for path, _, one in operations(document) if "requestBody" in one),
        *((f"{path} answer", part) for path, _, one in operations(document) for part in one["responses"].values()),
        *shared,
    ]:
        for kind, content in part.get("content", {}).items():
            schema = {**content["schema"], "components": document["components"]} if "example" in content else {}
            if kind == "application/x-ndjson":
                yield from ((place, schema, json.loads(line)) for line in content["example"].splitlines())
            elif schema:
                yield place, schema, content["example"]


def test_every_example_fits_its_schema_and_its_formats(document: dict[str, Any]) -> None:
    found = list(examples(json.loads((PLACE / "openapi.json").read_text())))
    assert len(found) > len(document["paths"])
    for place, schema, example in found:
        problems = list(Draft202012Validator(schema, format_checker=FORMATS).iter_errors(example))
        assert problems == [], (place, json.dumps(example))


def test_what_ends_does_not_end_in_the_past_in_a_body_to_try(document: dict[str, Any]) -> None:
    tried = [example for place, _, example in examples(document) if place.endswith("body")]
    ends = [example[name] for example in tried if isinstance(example, dict) for name in ("expires_at", "until")
            if example.get(name)]  # fmt: skip
    assert ends
    assert all(datetime.fromisoformat(end) > datetime(2090, 1, 1, tzinfo=UTC) for end in ends), ends


@pytest.mark.parametrize("given", ["acme", "2026-13-01", "yesterday"])
def test_a_value_of_another_format_is_found(given: str) -> None:
    for form in ("uuid", "date-time", "date"):
        assert not Draft202012Validator({"format": form}, format_checker=FORMATS).is_valid(given)


def test_nothing_of_the_machine_is_in_it() -> None:
    for file in PLACE.iterdir():
        text = file.read_text()
        assert str(Path.home()) not in text
        assert str(PLACE.parents[1]) not in text
