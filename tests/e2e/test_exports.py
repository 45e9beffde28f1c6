"""An archive of everything, asked for and loaded down on the deployed platform."""

import io
import json
import tarfile
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from uuid import uuid4

import jwt

from local.demo.api import wait_for
from local.demo.tenants import SignedIn
from local.stack import Stack
from tests.e2e.conftest import Reply, Wire, newcomer, platform_signer


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


def archived(who: SignedIn) -> str:
    """The id of an archive that is ready."""
    export = str(who.api.post("/api/v1/exports")["id"])
    wait_for("the archive", lambda: who.api.get(f"/api/v1/exports/{export}")["status"] == "done")
    return export


def loaded(link: str) -> int:
    """The status that a link answers with."""
    try:
        with urllib.request.urlopen(link) as response:  # noqa: S310  the platform's own link
            return int(response.status)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code


def bent(
    link: str, parameters: Mapping[str, str | None] = MappingProxyType({}), path: Callable[[str], str] = str
) -> str:
    """A link with another path, other parameters, or (None) without some."""
    parts = urlsplit(link)
    query = {name: value for name, value in {**dict(parse_qsl(parts.query)), **parameters}.items() if value is not None}
    return parts._replace(path=path(parts.path), query=urlencode(query)).geturl()


def test_a_link_is_for_one_archive_and_not_to_be_bent(acme: SignedIn, globex: SignedIn) -> None:
    mine, theirs = archived(acme), archived(globex)
    foreign: Reply = Wire(globex.api.url, globex.token).send("GET", f"/api/v1/exports/{mine}/download")
    assert foreign.status == 404
    link = acme.api.get(f"/api/v1/exports/{mine}/download")["url"]
    given = dict(parse_qsl(urlsplit(link).query))
    signature = given["X-Amz-Signature"]
    other = "0" if signature[0] != "0" else "1"
    began = datetime.strptime(given["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert loaded(bent(link)) == 200, "bent to nothing else it is good"
    bends = {
        "another signature": bent(link, {"X-Amz-Signature": other + signature[1:]}),
        "no signature": bent(link, {"X-Amz-Signature": None}),
        "no parameters": link.partition("?")[0],
        "good for a week": bent(link, {"X-Amz-Expires": "604800"}),
        "signed later": bent(link, {"X-Amz-Date": (began + timedelta(days=1)).strftime("%Y%m%dT%H%M%SZ")}),
        "another organization's archive": bent(
            link, path=lambda path: path.replace(acme.organization, globex.organization).replace(mine, theirs)
        ),
        "another archive of one's own": bent(link, path=lambda path: path.replace(mine, str(uuid4()))),
        "the list of the bucket": bent(link, path=lambda path: path.partition(acme.organization)[0]),
        "another name of the file": bent(link, {"response-content-disposition": "inline"}),
    }  # fmt: skip
    answers = {what: loaded(one) for what, one in bends.items()}
    assert answers == {**dict.fromkeys(bends, 403), "no signature": 400}


def test_an_archive_is_deleted_by_who_logged_in_lately(stack: Stack, acme: SignedIn) -> None:
    export = archived(acme)
    claims = jwt.decode(acme.token, options={"verify_signature": False})
    with platform_signer(stack) as signer:
        old = signer.sign({**claims, "auth_time": claims["auth_time"] - 3600})
    address = f"/api/v1/exports/{export}"
    refused = Wire(stack.api_url, old).send("DELETE", address)
    assert (refused.status, refused.json["code"]) == (401, "step-up-required")
    assert Wire(stack.api_url, old).send("GET", address).json["status"] == "done"
    assert Wire(stack.api_url, acme.token).send("DELETE", address).status == 204


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
    told = "Members of the other organization who are none here, and can be invited: 1."
    assert (shown["status"], shown["reason"]) == ("done", told)
    members = new.api.get(f"/api/v1/organizations/{new.organization}/members")["items"]
    assert [one["email"] for one in members] == [new.user.email]
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
