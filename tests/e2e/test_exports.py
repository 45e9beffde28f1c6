"""An archive of everything, asked for and loaded down on the deployed platform."""

import io
import json
import tarfile
import urllib.request
from typing import Any

from local.demo.api import wait_for
from local.demo.tenants import SignedIn
from tests.e2e.conftest import Reply, Wire


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
