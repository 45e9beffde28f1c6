"""Settings, branding and custom domains on the deployed platform, and what a log-in page is told."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest

from local.demo.tenants import SignedIn
from local.stack import Stack
from tests.e2e.conftest import Reply, Wire, newcomer
from tests.e2e.houses import House, names

PUBLIC = "/api/v1/public/organization?host="
LIGHT = {"color": "#000000", "contrast": 19.56}


@pytest.fixture(scope="module")
def owner(stack: Stack) -> SignedIn:
    return newcomer(stack.api_url, "places")


def ask(who: SignedIn, method: str, path: str, body: object = None, **headers: str) -> Reply:
    raw = None if body is None else json.dumps(body).encode()
    where = f"/api/v1/organizations/{who.organization}{path}"
    return Wire(who.api.url, who.token).send(method, where, raw, content_type="application/json", **headers)


def at(url: str, host: str) -> Reply:
    return Wire(url).send("GET", PUBLIC + quote(host))


def may_have_domains(stack: Stack, who: SignedIn, amount: int) -> None:
    """What an operator grants beyond the plan."""
    where = f"/api/v1/operator/organizations/{who.organization}/grants"
    body = {"kind": "value", "name": "custom_domains", "amount": amount, "reason": "the tests"}
    given = Wire(stack.api_url, stack.operator_secret).send(
        "POST", where, json.dumps(body).encode(), content_type="application/json"
    )
    assert given.status == 201, given.body


@pytest.fixture
def domain(stack: Stack, owner: SignedIn) -> Iterator[dict[str, Any]]:
    """A claim of a fresh domain, removed again."""
    may_have_domains(stack, owner, 1)
    claimed = ask(owner, "POST", "/custom-domains", {"domain": f"Medien-{uuid4().hex[:8]}.Bücher.example"})
    assert claimed.status == 201, claimed.body
    yield claimed.json
    ask(owner, "DELETE", f"/custom-domains/{claimed.json['domain']}")


def test_a_version_in_other_digits_is_no_etag_of_ours(owner: SignedIn) -> None:
    for digits in ("\u0663", "\uff11", "\u00b2"):
        etag = f'"{digits}"'.encode().decode("latin-1")
        refused = ask(owner, "PATCH", "/settings", {"currency": "USD"}, if_match=etag)
        assert (refused.status, "If-Match" in refused.json["detail"]) == (400, True)


def test_settings_are_merged_at_the_version_that_was_read(owner: SignedIn) -> None:
    before = ask(owner, "GET", "/settings")
    assert (before.status, before.headers["etag"]) == (200, '"0"')
    assert before.json == {"time_zone": "UTC", "locale": "en", "currency": "EUR", "week_start": "monday",
                           "contact_email": None, "version": 0}  # fmt: skip
    mine = {"time_zone": "America/Sao_Paulo", "locale": "pt-br", "contact_email": "Ops@Acme.Example"}
    changed = ask(owner, "PATCH", "/settings", mine, if_match='"0"')
    assert (changed.status, changed.headers["etag"]) == (200, '"1"'), changed.body
    assert ask(owner, "PATCH", "/settings", {"currency": "BRL"}, if_match='"0"').status == 412
    assert ask(owner, "PATCH", "/settings", {"currency": "BRL"}).status == 428
    last = ask(owner, "PATCH", "/settings", {"currency": "BRL", "week_start": "sunday"}, if_match='"1"').json
    assert last == {"time_zone": "America/Sao_Paulo", "locale": "pt-BR", "currency": "BRL", "week_start": "sunday",
                    "contact_email": "ops@acme.example", "version": 2}  # fmt: skip
    assert ask(owner, "GET", "/settings").json == last


@pytest.mark.parametrize(
    ("body", "pointer"),
    [({"time_zone": "Mars/Olympus"}, "/time_zone"), ({"locale": "en_US"}, "/locale"),
     ({"currency": "XXX"}, "/currency"),
     ({"week_start": "someday"}, "/week_start"), ({"contact_email": "nobody"}, "/contact_email"),
     ({"time_zone": None}, "/time_zone"), ({"theme": "dark"}, "/theme")],
)  # fmt: skip
def test_a_setting_that_the_world_does_not_know_is_named(owner: SignedIn, body: dict[str, Any], pointer: str) -> None:
    etag = ask(owner, "GET", "/settings").headers["etag"]
    refused = ask(owner, "PATCH", "/settings", body, if_match=etag)
    assert (refused.status, [error["pointer"] for error in refused.json["errors"]]) == (422, [pointer])


def test_a_branding_says_how_text_is_read_on_it_and_is_taken_back(owner: SignedIn, api_url: str) -> None:
    plain = ask(owner, "GET", "/branding")
    assert (plain.json["display_name"], plain.json["logo"]) == ("Places", None)
    look = {"display_name": "Places Media", "primary_color": "#FFFF00", "footer": "Imprint",
            "logo": {"url": "https://cdn.places.example/logo.svg", "alt": "Places"},
            "support_email": "help@places.example", "support_url": "https://help.places.example/"}  # fmt: skip
    kept = ask(owner, "PUT", "/branding", look, if_match=plain.headers["etag"])
    assert kept.status == 200, kept.body
    assert {name: kept.json[name] for name in look} == {**look, "primary_color": "#ffff00"}
    assert kept.json["text_on_primary"] == LIGHT
    assert ask(owner, "PUT", "/branding", look, if_match=plain.headers["etag"]).status == 412
    shown = at(api_url, f"{owner.user.slug}.rmap.localhost:8080").json
    assert (shown["display_name"], shown["branding"]["text_on_primary"]) == ("Places Media", LIGHT)
    assert ask(owner, "DELETE", "/branding").status == 204
    back = ask(owner, "GET", "/branding").json
    assert {**back, "version": plain.json["version"]} == plain.json
    assert back["version"] == plain.json["version"] + 2


@pytest.mark.parametrize(
    "body",
    [{"primary_color": "red"}, {"primary_color": "#fff"}, {"logo": {"url": "http://a.example/l.png", "alt": "A"}},
     {"logo": {"url": "https://a.example/l.png"}}, {"logo": {"url": "data:image/svg+xml,<svg/>", "alt": "A"}},
     {"logo": {"url": "https://u:p@a.example/l.png", "alt": "A"}}, {"support_url": "javascript:alert(1)"},
     {"footer": "x" * 1001}, {"display_name": "a\x00b"}, {"display_name": "Ac\u202eme"}, {"footer": "a\u200bb"},
     {"logo": {"url": "https://a.example/l.png", "alt": "\u2066A\u2069"}}],
)  # fmt: skip
def test_what_no_page_should_show_is_refused(owner: SignedIn, body: dict[str, Any]) -> None:
    etag = ask(owner, "GET", "/branding").headers["etag"]
    assert ask(owner, "PUT", "/branding", body, if_match=etag).status == 422


def test_a_custom_domain_is_found_once_its_dns_says_so(stack: Stack, owner: SignedIn, domain: dict[str, Any]) -> None:
    name = domain["domain"]
    assert (name.endswith(".xn--bcher-kva.example"), domain["verified_at"]) == (True, None)
    assert domain["shown"].endswith(".bücher.example")
    verify = f"/custom-domains/{quote(name)}/verify"
    early = ask(owner, "POST", verify)
    assert (early.status, early.json["code"]) == (409, "challenge-missing")
    assert at(stack.api_url, name).status == 404
    names(stack, domain["record"], "something else", domain["challenge"])
    verified = ask(owner, "POST", f"/custom-domains/{quote(domain['shown'])}/verify")
    assert (verified.status, verified.json["verified_at"] is not None) == (200, True), verified.body
    for host in (name, name.upper(), f"{name}.", f"{name}:443", domain["shown"]):
        assert at(stack.api_url, host).json["slug"] == owner.user.slug, host
    listed = ask(owner, "GET", "/custom-domains").json
    assert listed == {"subdomain": f"{owner.user.slug}.rmap.localhost", "items": [verified.json]}
    assert ask(owner, "DELETE", f"/custom-domains/{name}").status == 204
    assert at(stack.api_url, name).status == 404


def test_a_domain_too_many_is_refused_with_its_limit(owner: SignedIn, domain: dict[str, Any]) -> None:
    refused = ask(owner, "POST", "/custom-domains", {"domain": f"b-{domain['domain']}"})
    said = {name: refused.json[name] for name in ("code", "limit", "value", "usage")}
    assert (refused.status, said) == (
        402, {"code": "limit-reached", "limit": "custom_domains", "value": 1, "usage": 1},
    )  # fmt: skip
    limits = ask(owner, "GET", "/limits").json["items"]
    assert [(one["value"], one["usage"]) for one in limits if one["limit"] == "custom_domains"] == [(1, 1)]


def test_another_organizations_claim_is_in_nobodys_way(stack: Stack, owner: SignedIn, domain: dict[str, Any]) -> None:
    other = newcomer(stack.api_url, "rival")
    may_have_domains(stack, other, 1)
    names(stack, domain["record"], domain["challenge"])
    assert ask(owner, "POST", f"/custom-domains/{domain['domain']}/verify").status == 200
    claimed = ask(other, "POST", "/custom-domains", {"domain": domain["domain"]})
    assert claimed.status == 201, claimed.body
    verify = f"/custom-domains/{domain['domain']}/verify"
    assert ask(other, "POST", verify).json["code"] == "challenge-missing"
    names(stack, domain["record"], domain["challenge"], claimed.json["challenge"])
    assert ask(other, "POST", verify).json["code"] == "domain-taken"
    assert at(stack.api_url, domain["domain"]).json["slug"] == owner.user.slug


@pytest.mark.parametrize(
    "name", ["rmap.localhost", "globex.rmap.localhost", "10.0.0.1", "localhost", "a b.example", ""]
)
def test_some_names_cannot_be_claimed(stack: Stack, owner: SignedIn, name: str) -> None:
    may_have_domains(stack, owner, 1)
    assert ask(owner, "POST", "/custom-domains", {"domain": name}).status == 422


def test_a_log_in_page_is_told_whose_it_is_and_no_more(api_url: str, owner: SignedIn) -> None:
    found = at(api_url, f"{owner.user.slug}.rmap.localhost")
    assert (found.status, found.headers["cache-control"]) == (200, "public, max-age=60")
    assert set(found.json) == {"slug", "display_name", "branding", "single_sign_on"}
    assert (found.json["slug"], found.json["single_sign_on"]) == (owner.user.slug, False)
    assert owner.organization.encode() not in found.body
    assert "version" not in found.json["branding"]


def test_a_log_in_page_is_told_of_single_sign_on(house: House) -> None:
    found = at(house.stack.api_url, f"{house.owner.user.slug}.rmap.localhost")
    assert found.json["single_sign_on"] is True
    assert at(house.stack.api_url, house.domain).status == 404, "a domain of mail addresses is no host"


@pytest.mark.parametrize(
    "host",
    ["nobody-at-all.rmap.localhost", "www.rmap.localhost", "rmap.localhost", "a.b.rmap.localhost", "127.0.0.1",
     "nobody.example", "…", "a\x00b.example", "' OR 1=1 --"],
)  # fmt: skip
def test_every_host_where_nobody_is_is_answered_alike(api_url: str, host: str) -> None:
    unknown, other = at(api_url, host), at(api_url, "nobody-at-all.rmap.localhost")
    assert (unknown.status, unknown.headers["cache-control"]) == (404, "no-store")
    problems = [{**one.json, "instance": ""} for one in (unknown, other)]
    assert problems[0] == problems[1]


def test_a_slug_that_is_reserved_or_no_label_is_refused_at_sign_up(api_url: str) -> None:
    for slug in ("admin", "www", "status", "xn--bcher-kva", "-acme", "acme-", "ab", "x" * 64):
        mark = uuid4().hex[:10]
        body = {"email": f"o@{mark}.example", "password": f"password-of-{mark}", "name": "O",
                "organization": {"name": "Acme", "slug": slug}}  # fmt: skip
        refused = Wire(api_url).send(
            "POST", "/api/v1/auth/signup", json.dumps(body).encode(), content_type="application/json"
        )
        assert refused.status == 422, (slug, refused.body)
        assert [error["pointer"] for error in refused.json["errors"]] == ["/organization/slug"]
