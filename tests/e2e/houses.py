"""An organization with an identity provider of its own, for tests of log-ins by it."""

import json
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from local.demo.tenants import SignedIn
from local.stack import Stack
from tests.e2e.conftest import Reply, Wire, newcomer
from tests.e2e.providers import Browser, Provider, query_of

BACK = "https://app.acme.example/signed-in"
CALLBACK = "/api/v1/auth/sso/callback"


def patiently(ask: Callable[[], Reply]) -> Reply:
    """The answer; asked for again, as it says, where a busy machine did not bring in time what is elsewhere."""
    for _ in range(2):
        reply = ask()
        if reply.status != HTTPStatus.SERVICE_UNAVAILABLE:
            return reply
    return ask()


@dataclass
class House:
    """An organization with a provider, and a mail domain of its own."""

    stack: Stack
    owner: SignedIn
    provider: Provider
    domain: str

    @property
    def where(self) -> str:
        return f"/api/v1/organizations/{self.owner.organization}"

    def send(self, method: str, path: str, body: object = None, token: str = "", **headers: str) -> Reply:
        raw = None if body is None else json.dumps(body).encode()
        kind = {} if body is None else {"content_type": "application/json"}
        return Wire(self.stack.api_url, token).send(method, path, raw, **kind, **headers)

    def as_owner(self, method: str, path: str, body: object = None, **headers: str) -> Reply:
        return self.send(method, self.where + path, body, self.owner.token, **headers)

    def configure(self, **changes: Any) -> Reply:
        wanted = {
            "issuer": self.provider.issuer,
            "client_id": self.provider.client_id,
            "client_secret": self.provider.client_secret,
            "default_role": "viewer",
            "return_urls": [BACK],
        }
        known = self.as_owner("GET", "/identity-provider")
        headers = {"if_match": known.headers["etag"]} if known.status == 200 else {}
        return patiently(lambda: self.as_owner("PUT", "/identity-provider", {**wanted, **changes}, **headers))

    def somebody(self, account: str = "", **claims: Any) -> str:
        """An account at the provider, of a mail address of the house."""
        name = account or f"u{uuid4().hex[:10]}"
        given = {"email": f"{name}@{self.domain}", "email_verified": True, "name": "Sam of the House", **claims}
        return self.provider.account(name, given)

    def start(self, **changes: Any) -> Reply:
        wanted = {"organization": self.owner.user.slug, "return_to": BACK}
        return self.send("POST", "/api/v1/auth/sso", {**wanted, **changes})

    def at_provider(self, name: str, **changes: Any) -> tuple[str, str]:
        """The callback's address after a log-in at the provider, and what the application kept."""
        started = self.start(**changes)
        assert started.status == 200, started.body
        browser = Browser(self.stack.api_url + CALLBACK)
        return browser.log_in(started.json["authorization_url"], name), started.json["login"]

    def come_back(self, url: str) -> Reply:
        return Wire(self.stack.api_url).send("GET", url.removeprefix(self.stack.api_url))

    def finish(self, code: str, login: str) -> Reply:
        return self.send("POST", "/api/v1/auth/sso/finish", {"code": code, "login": login})

    def log_in(self, name: str, **changes: Any) -> Reply:
        """The whole way."""
        url, login = self.at_provider(name, **changes)
        back = self.come_back(url)
        if back.status != 302:
            return back
        assert back.headers["location"].startswith(BACK)
        return self.finish(query_of(back.headers["location"])["code"], login)


def names(stack: Stack, name: str, *texts: str) -> None:
    """Put text records into DNS."""
    body = json.dumps({"texts": list(texts)}).encode()
    request = urllib.request.Request(f"{stack.outside_url}/_control/names/{name}", body, method="PUT")  # noqa: S310
    with urllib.request.urlopen(request, timeout=10):  # noqa: S310  our own, on this machine
        pass


def found(stack: Stack, provider: Provider) -> House:
    """A fresh organization whose domain is verified and whose provider is set up."""
    owner = newcomer(stack.api_url, "house")
    made = House(stack, owner, provider, f"{owner.user.slug}.example")
    claimed = made.as_owner("POST", "/domains", {"domain": made.domain})
    assert claimed.status == 201, claimed.body
    names(stack, claimed.json["record"], "something else", claimed.json["challenge"])
    verified = patiently(lambda: made.as_owner("POST", f"/domains/{made.domain}/verify"))
    assert (verified.status, verified.json["verified_at"] is not None) == (200, True), verified.body
    configured = made.configure()
    assert configured.status == 200, configured.body
    assert "client_secret" not in configured.json
    assert configured.json["redirect_uri"] == stack.api_url + CALLBACK
    return made
