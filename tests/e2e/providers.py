"""An identity provider to log in at, run from a certified library, and a browser that goes through its pages."""

import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit
from uuid import uuid4

from local.demo.api import wait_for
from local.ports import free

PROGRAM = Path(__file__).parent / "provider" / "server.mjs"
_STEPS = 12


@dataclass(frozen=True)
class Provider:
    """A running provider, and the client that it knows."""

    issuer: str
    client_secret: str
    client_id: str = "rmap"

    def account(self, name: str, claims: dict[str, Any]) -> str:
        """Somebody who can log in by this name; answers it."""
        self._put(f"/accounts/{name}", claims)
        return name

    def rotate(self) -> None:
        """Another signing key from now on."""
        self._put("/rotate", {})

    def _put(self, path: str, body: dict[str, Any]) -> None:
        request = urllib.request.Request(self.issuer + path, json.dumps(body).encode(), method="PUT")  # noqa: S310
        with urllib.request.urlopen(request, timeout=10):  # noqa: S310  our own, on this machine
            pass


@contextmanager
def running(redirect_uri: str) -> Iterator[Provider]:
    """A provider whose client may be sent back to an address."""
    port, secret = free(), uuid4().hex
    command = ["node", str(PROGRAM), str(port), Provider.client_id, secret, redirect_uri]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        provider = Provider(f"http://127.0.0.1:{port}", secret)

        def answers() -> bool:
            assert process.poll() is None, "the provider did not start"
            try:
                with urllib.request.urlopen(f"{provider.issuer}/jwks", timeout=2):  # noqa: S310
                    return True
            except OSError:
                return False

        try:
            wait_for("the provider", answers)
            yield provider
        finally:
            process.terminate()


class _Form(HTMLParser):
    """The first form of a page: where it goes, and what it holds."""

    def __init__(self) -> None:
        super().__init__()
        self.action, self.fields = "", dict[str, str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        if tag == "form" and not self.action:
            self.action = named.get("action", "")
        if tag == "input" and named.get("name"):
            self.fields[named["name"]] = named.get("value", "")


class _Stays(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_arguments: Any) -> None:
        """The browser below goes on by itself."""


@dataclass
class Browser:
    """Goes where it is sent, fills in the provider's forms, and stops before an address that begins so."""

    stop: str
    cookies: CookieJar = field(default_factory=CookieJar)

    def log_in(self, url: str, name: str) -> str:
        """The address that the provider sends the browser back to, somebody having logged in there."""
        opener = urllib.request.build_opener(_Stays, urllib.request.HTTPCookieProcessor(self.cookies))
        body: bytes | None = None
        for _ in range(_STEPS):
            if url.startswith(self.stop):
                return url
            try:
                with opener.open(urllib.request.Request(url, body), timeout=10) as answer:  # noqa: S310
                    page = answer.read().decode()
            except urllib.error.HTTPError as error:
                if error.code not in {302, 303}:
                    raise
                url, body = urljoin(url, error.headers["location"]), None
                continue
            form = _Form()
            form.feed(page)
            assert form.action, page[:500]
            filled = {**form.fields, **({"login": name, "password": "any"} if "login" in form.fields else {})}
            url, body = urljoin(url, form.action), urlencode(filled).encode()
        raise AssertionError(f"the provider never sent the browser back: {url}")


def query_of(url: str) -> dict[str, str]:
    """The parameters of an address."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
