"""Log-in by an organization's identity provider on the deployed platform, at a certified provider run here."""

import json
from typing import Any
from uuid import uuid4

import jwt
import pytest

from local.demo.api import wait_for
from local.demo.tenants import log_in
from local.stack import Stack
from tests.e2e.conftest import SOON, Wire, newcomer, secure
from tests.e2e.houses import BACK, CALLBACK, House, names
from tests.e2e.providers import Provider, query_of, running


def roles(house: House) -> dict[str, str]:
    return {item["email"]: item["role"] for item in house.as_owner("GET", "/members").json["items"]}


def test_somebody_new_comes_in_by_the_provider_and_again(house: House) -> None:
    name = house.somebody()
    came = house.log_in(name)
    assert came.status == 200, came.body
    assert came.json["organization"]["slug"] == house.owner.user.slug
    assert (came.json["user"]["name"], came.json["organization"]["role"]) == ("Sam of the House", "viewer")
    token = came.json["access_token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["amr"], claims["aal"]) == (["fed"], 1)
    assert house.send("GET", "/api/v1/campaigns", token=token).status == 200
    assert roles(house)[f"{name}@{house.domain}"] == "viewer"
    again = house.log_in(name)
    assert again.json["user"]["id"] == came.json["user"]["id"]
    actions = [entry["action"] for entry in house.as_owner("GET", "/audit").json["items"]]
    assert {"member.joined", "security.provider_changed", "security.domain_verified"} <= set(actions)


def test_nobody_new_comes_in_while_the_organization_is_read_only(house: House, stack: Stack) -> None:
    member = house.somebody()
    assert house.log_in(member).status == 200
    address = f"/api/v1/operator/organizations/{house.owner.organization}/state"
    for state, statuses in (("restricted", (200, 403)), ("active", (200, 200))):
        order = json.dumps({"state": state, "reason": "a drill"}).encode()
        ordered = Wire(stack.api_url, stack.operator_secret).send(
            "POST", address, order, content_type="application/json"
        )
        assert ordered.status == 200, ordered.body
        came = (house.log_in(member), house.log_in(house.somebody()))
        assert tuple(one.status for one in came) == statuses, [one.body for one in came]
        assert state == "active" or came[1].json["code"] == "organization-restricted"


def test_the_organization_is_found_by_the_mail_address(house: House) -> None:
    name = house.somebody()
    email = f"{name}@{house.domain}"
    started = house.send("POST", "/api/v1/auth/sso", {"email": email.upper(), "return_to": BACK})
    assert query_of(started.json["authorization_url"])["login_hint"] == email
    unknown = house.send("POST", "/api/v1/auth/sso", {"email": "x@nowhere.example", "return_to": BACK})
    assert (unknown.status, unknown.json["code"]) == (404, "no-provider")


def test_a_role_follows_the_providers_groups(house: House) -> None:
    mapped = {"role_claim": "groups", "role_map": {"rmap-admins": "admin", "buyers": "manager"}, "default_role": None}
    assert house.configure(**mapped).status == 200
    name = house.somebody(groups=["staff", "buyers"])
    assert house.log_in(name).json["organization"]["role"] == "manager"
    house.somebody(name, groups=["rmap-admins"])
    assert house.log_in(name).json["organization"]["role"] == "admin"
    house.somebody(name, groups=[])
    refused = house.log_in(name)
    assert (refused.status, refused.json["code"]) == (403, "not-entitled")
    stranger = house.log_in(house.somebody(groups="nothing"))
    assert (stranger.status, stranger.json["code"]) == (403, "not-entitled")


def test_a_user_of_a_confirmed_address_is_linked_and_keeps_what_they_are(house: House) -> None:
    owner_name = house.somebody("owner")
    unconfirmed = house.log_in(owner_name)
    # The owner signed up as owner@<slug>.example, which is the house's domain, and never confirmed the address.
    assert (unconfirmed.status, unconfirmed.json["code"]) == (409, "unconfirmed-account")
    code = confirm_code(house)
    assert house.send("POST", "/api/v1/auth/confirm", {"token": code}, house.owner.token).status == 204
    came = house.log_in(owner_name)
    assert (came.json["user"]["email"], came.json["organization"]["role"]) == (house.owner.user.email, "owner")


def confirm_code(house: House) -> str:
    from tests.e2e.test_passwords import code_of  # noqa: PLC0415  beside its one use

    return code_of(house.stack, house.owner.user.email, "Confirm your mail address")


def _of(value: Any, domain: str) -> Any:
    return value.format(domain=domain) if isinstance(value, str) else value


@pytest.mark.parametrize(
    "claims",
    [
        {"email_verified": False},
        {"email_verified": "true"},
        {"email_verified": None},
        {"email": "somebody@elsewhere.example"},
        {"email": None},
        {"email": "somebody@sub.{domain}"},
        {"email": "{domain}"},
        {"email": ["a@{domain}"]},
    ],
    ids=["unverified", "text", "none", "elsewhere", "no-mail", "subdomain", "no-local-part", "list"],
)
def test_an_address_that_is_not_vouched_for_joins_nothing(house: House, claims: dict[str, Any]) -> None:
    filled = {name: _of(value, house.domain) for name, value in claims.items()}
    refused = house.log_in(house.somebody(**filled))
    assert (refused.status, refused.json["code"]) == (403, "address-not-vouched"), refused.body
    assert set(roles(house)) == {house.owner.user.email}


def test_another_organizations_provider_vouches_for_nobody_here(house: House, stack: Stack, provider: Provider) -> None:
    other = House(stack, newcomer(stack.api_url, "other"), provider, house.domain)
    claimed = other.as_owner("POST", "/domains", {"domain": house.domain})
    names(stack, claimed.json["record"], claimed.json["challenge"])
    taken = other.as_owner("POST", f"/domains/{house.domain}/verify")
    assert (taken.status, taken.json["code"]) == (409, "domain-taken")
    assert other.configure().status == 200
    refused = other.log_in(house.somebody())
    assert (refused.status, refused.json["code"]) == (403, "address-not-vouched")


def test_a_domain_is_verified_by_its_dns_alone(house: House) -> None:
    domain = f"{uuid4().hex}.example"
    claimed = house.as_owner("POST", "/domains", {"domain": domain.upper()})
    assert claimed.json["domain"] == domain
    missing = house.as_owner("POST", f"/domains/{domain}/verify")
    assert (missing.status, missing.json["code"]) == (409, "challenge-missing")
    assert claimed.json["challenge"] in missing.json["detail"]
    names(house.stack, claimed.json["record"], "rmap-challenge=of-somebody-else")
    assert house.as_owner("POST", f"/domains/{domain}/verify").status == 409
    assert house.as_owner("POST", "/domains/nowhere.example/verify").status == 404
    assert house.as_owner("DELETE", f"/domains/{domain}").status == 204
    assert house.as_owner("DELETE", f"/domains/{domain}").status == 404
    for bad in ("", "example", "a b.example", "http://x.example", "*.example", "x" * 64 + ".example", "1.2.3.4"):
        assert house.as_owner("POST", "/domains", {"domain": bad}).status == 422, bad


def test_a_provider_that_vouches_opens_no_other_organization_and_nothing_personal(house: House) -> None:
    """Whoever runs the provider could be anybody of its domain: that is worth something in its organization alone."""
    name = house.somebody()
    token = house.log_in(name).json["access_token"]
    elsewhere = newcomer(house.stack.api_url, "elsewhere")
    for method, path, body in (
        ("POST", "/api/v1/auth/switch", {"organization": elsewhere.organization}),
        ("POST", "/api/v1/auth/mfa/totp", None),
        ("POST", "/api/v1/auth/mfa/passkeys/begin", None),
        ("POST", "/api/v1/auth/email", {"email": "mine@thief.example"}),
        ("DELETE", "/api/v1/auth/me", None),
    ):
        refused = house.send(method, path, body, token)
        assert refused.status == 403, (path, refused.body)
        assert refused.json["code"] in {"own-proof-required", "no-membership"}
    assert house.send(
        "POST", "/api/v1/auth/password", {"current_password": "", "password": "x" * 20}, token
    ).status in {
        401,
        422,
    }


def test_sso_only_lets_nobody_in_by_password(house: House) -> None:
    changed = secure(house.as_owner, "", sso_only=True)
    assert (changed.status, changed.json["sso_only"]) == (200, True)
    wait_for("the old token's end", lambda: house.as_owner("GET", "").status == 401, seconds=SOON)
    user = house.owner.user
    credentials = {"email": user.email, "password": user.password}
    refused = house.send("POST", "/api/v1/auth/login", credentials)
    assert (refused.status, refused.json["code"]) == (403, "sso-required")
    came = house.log_in(house.somebody())
    assert came.status == 200, came.body
    assert house.send("GET", house.where, token=came.json["access_token"]).status == 200
    session = {"refresh_token": came.json["refresh_token"]}
    assert house.send("POST", "/api/v1/auth/refresh", session).status == 200


def test_a_provider_is_needed_where_people_come_in_by_it_alone(house: House) -> None:
    assert secure(house.as_owner, "", sso_only=True).status == 200
    other = House(house.stack, newcomer(house.stack.api_url, "without"), house.provider, "x.example")
    refused = secure(other.as_owner, "", sso_only=True)
    assert (refused.status, refused.json["code"]) == (409, "provider-needed")


def test_a_provider_is_replaced_at_the_version_that_was_read(house: House) -> None:
    body = {
        "issuer": house.provider.issuer,
        "client_id": "another",
        "default_role": "member",
        "return_urls": [BACK],
    }
    assert house.as_owner("PUT", "/identity-provider", body).status == 428
    assert house.as_owner("PUT", "/identity-provider", body, if_match='"7"').status == 412
    etag = house.as_owner("GET", "/identity-provider").headers["etag"]
    changed = house.as_owner("PUT", "/identity-provider", body, if_match=etag)
    assert (changed.status, changed.json["client_id"], changed.json["version"]) == (200, "another", 2)


def test_sessions_end_where_another_provider_vouches(house: House, stack: Stack) -> None:
    came = house.log_in(house.somebody()).json
    with running(stack.api_url + CALLBACK) as other:
        changed = house.configure(issuer=other.issuer, client_secret=other.client_secret)
        assert changed.status == 200, changed.body
    wait_for(
        "the end", lambda: house.send("GET", "/api/v1/campaigns", token=came["access_token"]).status == 401,
        seconds=SOON,
    )  # fmt: skip
    ended = house.send("POST", "/api/v1/auth/refresh", {"refresh_token": came["refresh_token"]})
    assert (ended.status, ended.json["code"]) == (401, "session-ended")


def test_sessions_end_with_the_provider_that_vouched(house: House) -> None:
    came = house.log_in(house.somebody()).json
    assert house.as_owner("DELETE", "/identity-provider").status == 204
    wait_for(
        "the end", lambda: house.send("GET", "/api/v1/campaigns", token=came["access_token"]).status == 401,
        seconds=SOON,
    )  # fmt: skip
    ended = house.send("POST", "/api/v1/auth/refresh", {"refresh_token": came["refresh_token"]})
    assert (ended.status, ended.json["code"]) == (401, "session-ended")
    house.owner = log_in(house.stack.api_url, house.owner.user)
    assert house.as_owner("GET", "/identity-provider").status == 404
