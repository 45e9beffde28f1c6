"""Keys of programs and devices on the deployed platform: bound, rotated, last used, ended."""

import json
from typing import Any

import pytest

from local.demo.api import wait_for
from local.demo.tenants import SignedIn
from tests.e2e.conftest import SOON, Reply, Wire, newcomer


@pytest.fixture(scope="module")
def owner(api_url: str) -> SignedIn:
    return newcomer(api_url, "keys")


def asked(owner: SignedIn, method: str, path: str, body: object = None) -> Reply:
    raw = None if body is None else json.dumps(body).encode()
    return Wire(owner.api.url, owner.token).send(method, path, raw, content_type="application/json")


def made(owner: SignedIn, **more: Any) -> dict[str, Any]:
    reply = asked(owner, "POST", "/api/v1/api-keys", {"name": "till", "scopes": ["ingest.write"], **more})
    assert reply.status == 201, reply.body
    found: dict[str, Any] = reply.json
    return found


def pushes(owner: SignedIn, key: str) -> int:
    """The status of a push with a key; 422 says that the key was good and the push empty."""
    wire = Wire(owner.api.url)
    body = b'{"counts": []}'
    return wire.send("POST", "/api/v1/ingest/counts", body, content_type="application/json", x_api_key=key).status


def shown(owner: SignedIn, prefix: str) -> dict[str, Any]:
    items = asked(owner, "GET", "/api/v1/api-keys").json["items"]
    return next(item for item in items if item["prefix"] == prefix)


@pytest.mark.usefixtures("stack")  # a caller from 127.0.0.1
def test_a_key_bound_to_a_network_is_good_there_only(owner: SignedIn) -> None:
    here, elsewhere = (
        made(owner, ip_allowlist=["127.0.0.0/8"]),
        made(owner, ip_allowlist=["192.0.2.0/24", "2001:db8::/32"]),
    )
    assert (pushes(owner, here["key"]), pushes(owner, elsewhere["key"])) == (422, 401)
    assert shown(owner, elsewhere["prefix"])["ip_allowlist"] == ["192.0.2.0/24", "2001:db8::/32"]


@pytest.mark.parametrize("networks", [["nowhere"], ["192.0.2.1/24"], ["192.0.2.0/33"], [""], [None], "192.0.2.0/24"])
def test_what_is_no_network_is_refused(owner: SignedIn, networks: object) -> None:
    body = {"name": "till", "scopes": ["ingest.write"], "ip_allowlist": networks}
    assert asked(owner, "POST", "/api/v1/api-keys", body).status == 422


@pytest.mark.usefixtures("stack")  # a caller from 127.0.0.1
def test_a_rotated_key_goes_on_for_its_grace_and_the_new_one_is_like_it(owner: SignedIn) -> None:
    old = made(owner, ip_allowlist=["127.0.0.0/8"])
    new = asked(owner, "POST", f"/api/v1/api-keys/{old['prefix']}/rotate", {"grace_hours": 24})
    assert new.status == 201
    assert (pushes(owner, old["key"]), pushes(owner, new.json["key"])) == (422, 422)
    assert new.json["ip_allowlist"] == old["ip_allowlist"]
    assert shown(owner, old["prefix"])["expires_at"]


def test_a_key_rotated_without_grace_ends_within_ten_seconds(owner: SignedIn) -> None:
    old = made(owner)
    assert pushes(owner, old["key"]) == 422
    assert asked(owner, "POST", f"/api/v1/api-keys/{old['prefix']}/rotate", {}).status == 201
    wait_for("the end", lambda: pushes(owner, old["key"]) == 401, seconds=SOON)
    assert asked(owner, "POST", f"/api/v1/api-keys/{old['prefix']}/rotate", {}).status == 404


def test_a_revoked_key_ends_within_ten_seconds(owner: SignedIn) -> None:
    key = made(owner)
    assert pushes(owner, key["key"]) == 422
    assert asked(owner, "DELETE", f"/api/v1/api-keys/{key['prefix']}").status == 204
    wait_for("the end", lambda: pushes(owner, key["key"]) == 401, seconds=SOON)


def test_it_is_told_when_a_key_was_last_used(owner: SignedIn) -> None:
    key = made(owner)
    assert shown(owner, key["prefix"])["last_used_at"] is None
    pushes(owner, key["key"])
    assert shown(owner, key["prefix"])["last_used_at"]
