"""An archive of everything, asked for and loaded down on the deployed platform."""

import io
import json
import tarfile
import urllib.request
from typing import Any
from uuid import uuid4

from local.demo.api import wait_for
from local.demo.tenants import SignedIn
from local.stack import Stack
from tests.e2e.conftest import Reply, Wire, newcomer


def test_an_organization_loads_down_everything_it_has_and_deletes_the_archive(acme: SignedIn) -> None:
    site = acme.api.post("/api/v1/sites", {"name": "To take along"})["id"]
    asked = acme.api.post("/api/v1/exports")
    address = f"/api/v1/exports/{asked['id']}"
    wait_for("the archive", lambda: acme.api.get(address)["status"] == "done")
    shown: dict[str, Any] = acme.api.get(address)
    assert shown["progress"]["sources_done"] == shown["progress"]["sources"]
    link = acme.api.get(f"{address}/download")["url"]
    with urllib.request.urlopen(link) as response:  # noqa: S310  the platform's own link
        whole = response.read()
    assert len(whole) == shown["progress"]["bytes"]
    with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
        stream = tar.extractfile("manifest.json")
        assert stream is not None
        manifest = json.load(stream)
    assert manifest["tenant"] == acme.organization
    assert manifest["tables"]["sites"]["rows"] == len(acme.api.get("/api/v1/sites?limit=200")["items"])
    assert site
    gone = Wire(acme.api.url, acme.token)
    assert gone.send("DELETE", address).status == 204
    assert gone.send("GET", f"{address}/download").status == 404
    assert asked["id"] not in [item["id"] for item in acme.api.get("/api/v1/exports")["items"]]


def test_a_link_is_for_one_archive_and_not_to_be_bent(acme: SignedIn, globex: SignedIn) -> None:
    asked = acme.api.post("/api/v1/exports")
    foreign: Reply = Wire(globex.api.url, globex.token).send("GET", f"/api/v1/exports/{asked['id']}/download")
    assert foreign.status == 404


def posted(wire: Wire, path: str, body: object) -> Reply:
    return wire.send("POST", path, json.dumps(body).encode(), content_type="application/json")


def test_an_operator_fills_an_empty_organization_and_its_owner_sees_how_it_went(stack: Stack) -> None:
    acme = newcomer(stack.api_url, "moving")
    acme.api.post("/api/v1/sites", {"name": "To take along", "code": uuid4().hex[:8]})
    export = acme.api.post("/api/v1/exports")["id"]
    wait_for("the archive", lambda: acme.api.get(f"/api/v1/exports/{export}")["status"] == "done")
    new = newcomer(stack.api_url, "filled")
    operator = Wire(stack.api_url, stack.operator_secret)
    body = {"into": new.organization, "organization": acme.organization, "export": export}
    assert posted(Wire(stack.api_url, new.token), "/api/v1/operator/imports", body).status == 401
    asked = posted(operator, "/api/v1/operator/imports", body)
    assert (asked.status, asked.json["kind"]) == (202, "import")
    address = f"/api/v1/exports/{export}"
    wait_for("the import", lambda: new.api.get(address)["status"] in {"done", "failed"})
    shown = new.api.get(address)
    assert (shown["status"], shown["reason"]) == ("done", "")
    names = [[site["name"] for site in one.api.get("/api/v1/sites?limit=200")["items"]] for one in (new, acme)]
    assert sorted(names[0]) == sorted(names[1])


def test_an_owner_cannot_fill_from_what_is_not_theirs(acme: SignedIn, globex: SignedIn) -> None:
    foreign = {"organization": acme.organization, "export": str(uuid4())}
    nobodys = {"organization": str(uuid4()), "export": str(uuid4())}
    answers = [posted(Wire(globex.api.url, globex.token), "/api/v1/imports", body) for body in (foreign, nobodys)]
    assert [(reply.status, reply.json["code"]) for reply in answers] == [(404, "organization-not-found")] * 2


def test_certificates_are_for_operators(stack: Stack, acme: SignedIn) -> None:
    address = f"/api/v1/operator/erasures/{acme.organization}"
    assert Wire(stack.api_url, acme.token).send("GET", address).status == 401
    there_is_none = Wire(stack.api_url, stack.operator_secret).send("GET", address)
    assert (there_is_none.status, there_is_none.json["code"]) == (404, "erasure-not-found")
