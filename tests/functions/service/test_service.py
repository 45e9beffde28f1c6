"""The service itself: alive, ready, its numbers for operators only, its description, and every other address."""

import base64
import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from functions.service.pages import Pages
from infra.assets import API_DESCRIPTION, SWAGGER_FILES, SWAGGER_FOLDER
from infra.settings import ROOT
from local.stack import Stack
from tenant_context.context import TenantContext
from tenant_context.settings import DatabaseSettings
from tests.conftest import Clone
from tests.functions.billing.harness import Context, Handler, database_environment, load, sample, secret_of

SECRET = "the operator's secret of the tests"


def wired(environment: dict[str, str], servers: Stack, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with secret_of(servers, SECRET) as name:
        loaded = load("service", {"RMAP_OPERATOR_SECRET": name, **environment}, monkeypatch)
        module: Any = sys.modules["functions.service.handler"]
        monkeypatch.setattr(module.service, "pages", Pages(home))
        yield loaded
        module.database.close()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The function's folder as its bundle holds it."""
    home = tmp_path_factory.mktemp("bundle")
    shutil.copytree(ROOT / "functions/service/page", home / "page")
    (home / "static").mkdir()
    shutil.copy(ROOT / API_DESCRIPTION, home / "static")
    for file in SWAGGER_FILES:
        if not (ROOT / SWAGGER_FOLDER / file).is_file():
            pytest.skip("Swagger UI is not installed: run `npm ci`")
        shutil.copy(ROOT / SWAGGER_FOLDER / file, home / "static")
    return home


@pytest.fixture
def handler(clone: Clone, servers: Stack, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Handler]:
    yield from wired(database_environment(clone.settings()), servers, bundle, monkeypatch)


@pytest.fixture
def handler_without_database(
    clone: Clone, servers: Stack, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Handler]:
    settings = clone.settings()
    nowhere = DatabaseSettings(
        host="127.0.0.1", port=1, name=settings.name, user=settings.user, auth="secret", secret=settings.secret
    )
    yield from wired(database_environment(nowhere), servers, bundle, monkeypatch)


@pytest.fixture
def handler_behind_the_edge(
    clone: Clone, servers: Stack, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Handler]:
    with secret_of(servers, "first") as first, secret_of(servers, "second") as second:
        environment = database_environment(clone.settings()) | {"RMAP_ORIGIN_SECRETS": f"{first},{second}"}
        yield from wired(environment, servers, bundle, monkeypatch)


def get(handler: Handler, path: str, *, method: str = "GET", **headers: str) -> dict[str, Any]:
    event = sample("service/health.json")
    event["rawPath"] = path
    event["requestContext"]["http"]["method"] = method
    event["headers"] |= {name.replace("_", "-"): value for name, value in headers.items()}
    return handler(event, Context())


def test_it_is_alive_and_says_which_version(handler: Handler) -> None:
    answer = get(handler, "/health")
    assert (answer["statusCode"], json.loads(answer["body"])) == (200, {"status": "alive", "version": "1.2.3"})


def test_it_is_ready_while_the_database_answers(handler: Handler) -> None:
    assert json.loads(get(handler, "/ready")["body"]) == {"status": "ready", "version": "1.2.3"}


def test_without_a_database_it_is_alive_but_not_ready(handler_without_database: Handler) -> None:
    assert get(handler_without_database, "/health")["statusCode"] == 200
    answer = get(handler_without_database, "/ready")
    assert (answer["statusCode"], json.loads(answer["body"])["code"]) == (503, "unavailable")


@pytest.mark.parametrize("path", ["/health/detailed", "/metrics"])
@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer guess", "Bearer guéss", f"Basic {SECRET}"])
def test_the_numbers_are_for_operators_only(handler: Handler, path: str, authorization: str | None) -> None:
    headers = {} if authorization is None else {"authorization": authorization}
    answer = get(handler, path, **headers)
    assert (answer["statusCode"], answer["headers"]["content-type"]) == (401, "application/problem+json")


def test_detailed_health_tells_of_each_component(handler: Handler) -> None:
    report = json.loads(get(handler, "/health/detailed", authorization=f"Bearer {SECRET}")["body"])
    assert [(part["name"], part["status"]) for part in report["components"]] == [("database", "up")]
    assert report["sandbox"]["memory_bytes"] > 1_000_000
    assert report["operations"]["rmap_tenants"] == 0


def test_detailed_health_is_503_when_a_component_is_down(handler_without_database: Handler) -> None:
    answer = get(handler_without_database, "/health/detailed", authorization=f"Bearer {SECRET}")
    report = json.loads(answer["body"])
    assert (answer["statusCode"], report["status"], report["operations"]) == (503, "down", {})
    assert report["components"][0]["detail"]


def test_metrics_are_prometheus_text(handler: Handler, two_tenants: tuple[TenantContext, TenantContext]) -> None:
    assert len(two_tenants) == 2
    answer = get(handler, "/metrics", authorization=f"Bearer {SECRET}")
    assert answer["headers"]["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = answer["body"].splitlines()
    assert {"rmap_tenants 2", "rmap_database_up 1", 'rmap_build_info{version="1.2.3",stage="test"} 1'} <= set(lines)
    pattern = re.compile(r'# (HELP|TYPE) \w+ .+|\w+(\{(\w+="[^"]*",?)+\})? -?[0-9.e+-]+')
    assert [line for line in lines if not pattern.fullmatch(line)] == []


def test_metrics_say_that_the_database_is_away(handler_without_database: Handler) -> None:
    answer = get(handler_without_database, "/metrics", authorization=f"Bearer {SECRET}")
    assert answer["statusCode"] == 200
    assert "rmap_database_up 0" in answer["body"].splitlines()


@pytest.mark.parametrize("path", ["/", "/nowhere", "/api/v1/nowhere", "/api/v9/campaigns", "/docs/../handler.py"])
def test_an_unknown_address_is_a_404_problem(handler: Handler, path: str) -> None:
    answer = get(handler, path)
    assert (answer["statusCode"], answer["headers"]["content-type"]) == (404, "application/problem+json")


def test_a_wrong_method_is_a_405_that_names_the_right_ones(handler: Handler) -> None:
    answer = get(handler, "/health", method="POST")
    assert (answer["statusCode"], answer["headers"]["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(("path", "root"), [("/openapi.json", "."), ("/api/v1/openapi.json", "../..")])
def test_the_description_leads_to_the_root_wherever_it_is_mounted(handler: Handler, path: str, root: str) -> None:
    document = json.loads(get(handler, path)["body"])
    assert document["servers"][0]["url"] == root
    committed = json.loads((ROOT / API_DESCRIPTION).read_text())
    assert {**document, "servers": None} == {**committed, "servers": None}


@pytest.mark.parametrize("path", ["/docs", "/api/v1/docs"])
def test_the_page_loads_nothing_from_elsewhere_and_runs_no_inline_script(handler: Handler, path: str) -> None:
    answer = get(handler, path)
    assert answer["headers"]["content-type"] == "text/html; charset=utf-8"
    assert "script-src 'self';" in answer["headers"]["content-security-policy"]
    addresses = re.findall(r'(?:src|href)="([^"]+)"', answer["body"])
    assert all(address.startswith(("docs/", "openapi.json")) for address in addresses)
    assert re.findall(r"<script(?![^>]*src=)[^>]*>|\son\w+=|style=", answer["body"]) == []
    for address in addresses:
        assert get(handler, f"{path.rpartition('/')[0]}/{address}")["statusCode"] == 200, address


def test_the_pages_files_come_as_they_are_and_only_once(handler: Handler) -> None:
    answer = get(handler, "/docs/favicon-32x32.png")
    icon = (ROOT / SWAGGER_FOLDER / "favicon-32x32.png").read_bytes()
    assert (answer["headers"]["content-type"], base64.b64decode(answer["body"])) == ("image/png", icon)
    again = get(handler, "/docs/favicon-32x32.png", if_none_match=answer["headers"]["etag"])
    assert (again["statusCode"], again["body"]) == (304, "")


@pytest.mark.parametrize("file", ["LICENSE", "openapi.json", "docs.html", "handler.py", "%2e%2e", "..%2fhandler.py"])
def test_no_other_file_of_the_bundle_is_served(handler: Handler, file: str) -> None:
    assert get(handler, f"/docs/{file}")["statusCode"] == 404


def test_a_slash_at_the_end_leads_to_the_page(handler: Handler) -> None:
    answer = get(handler, "/docs/")
    assert (answer["statusCode"], answer["headers"]["location"]) == (308, "../docs")


@pytest.mark.parametrize("sent", [None, "", "guess", "guéss", "first,second", "first "])
def test_a_request_around_the_firewall_is_refused(handler_behind_the_edge: Handler, sent: str | None) -> None:
    headers = {} if sent is None else {"x_rmap_origin": sent}
    answer = get(handler_behind_the_edge, "/health", **headers)
    assert (answer["statusCode"], answer["headers"]["content-type"]) == (403, "application/problem+json")
    assert "first" not in answer["body"]


@pytest.mark.parametrize("sent", ["first", "second"])
def test_a_request_through_the_firewall_is_answered(handler_behind_the_edge: Handler, sent: str) -> None:
    """Two secrets are good at once, while one is being replaced by the other."""
    assert get(handler_behind_the_edge, "/health", x_rmap_origin=sent)["statusCode"] == 200
