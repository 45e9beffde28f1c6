"""The receiver over HTTP.

ANY    /hooks/<name>                a webhook: kept, judged, answered as the path is set to
GET    /                            what arrived: a page, or JSON with `Accept: application/json`
GET    /requests?path=&after=&limit=    {requests, count}, oldest first
GET    /_control/paths/<name>       what is set for the path
PUT    /_control/paths/<name>       {secret | secrets, status, delay, location, close, times, body, challenge}
DELETE /_control[/paths/<name>]     forget everything, or one path
GET    /_health
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, fields
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from local.receiver.page import as_json, as_page
from local.receiver.store import Behaviour, PathSettings, Received, Store
from local.receiver.verify import verify

MAX_BODY = 5_000_000
_BEHAVIOUR = frozenset(item.name for item in fields(Behaviour))


class Handler(BaseHTTPRequestHandler):
    """One request, of any method: the path tells who answers it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 60
    store: ClassVar[Store]

    def __getattr__(self, name: str) -> Callable[[], None]:
        """The base class looks for `do_<METHOD>`; every method is served."""
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class names it so
        """Stay quiet; the page tells."""

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > MAX_BODY:
            self.close_connection = True
            self._json(413, {"error": "too large"})
            return
        body = self.rfile.read(length)
        parts = urlsplit(self.path)
        if parts.path.startswith("/hooks/"):
            self._receive(parts.path, body)
        elif parts.path.startswith("/_control"):
            self._steer(parts.path, body)
        elif parts.path == "/requests":
            self._list(parse_qs(parts.query))
        elif parts.path == "/_health":
            self._json(200, {"status": "ok"})
        elif parts.path == "/":
            self._front()
        else:
            self._json(404, {"error": f"nothing at {parts.path}; webhooks go to /hooks/<name>"})

    def _receive(self, path: str, body: bytes) -> None:
        settings, behaviour = self.store.settings(path), self.store.take_behaviour(path)
        verified, reason = verify(settings.secrets, dict(self.headers.items()), body)
        self.store.add(
            Received(
                path,
                self.command,
                datetime.now(UTC).isoformat(timespec="milliseconds"),
                list(self.headers.items()),
                body,
                verified,
                reason,
                None if behaviour.close else behaviour.status,
            )
        )
        time.sleep(behaviour.delay)  # the drill is the waiting
        if behaviour.close:
            self.close_connection = True
            return
        headers = {"Location": behaviour.location} if behaviour.location else {}
        said = (_challenge(body) if behaviour.challenge else "") or behaviour.body
        self._send(behaviour.status, said.encode(), {"Content-Type": "text/plain", **headers})

    def _front(self) -> None:
        newest = self.store.latest(50)
        if "application/json" in (self.headers.get("Accept") or ""):
            found = [as_json(number, request) for number, request in newest]
            self._json(200, {"requests": found, "count": self.store.count(None)})
        else:
            page = as_page(newest, self.store.count(None)).encode()
            self._send(200, page, {"Content-Type": "text/html; charset=utf-8"})

    def _list(self, query: dict[str, list[str]]) -> None:
        path = query.get("path", [None])[0]
        after, limit = int(query.get("after", ["0"])[0]), int(query.get("limit", ["1000"])[0])
        found = [as_json(number, request) for number, request in self.store.requests(path, after, limit)]
        self._json(200, {"requests": found, "count": self.store.count(path)})

    def _steer(self, address: str, body: bytes) -> None:
        name = address.removeprefix("/_control").removeprefix("/paths/").strip("/")
        if name:
            self._set(f"/hooks/{name}", body)
        elif self.command == "DELETE":
            self.store.clear(None)
            self._json(200, {})
        else:
            self._json(404, {"error": "PUT, GET, DELETE /_control/paths/<name>; DELETE /_control"})

    def _set(self, path: str, body: bytes) -> None:
        try:
            if self.command == "DELETE":
                self.store.clear(path)
            elif self.command == "PUT":
                self.store.set(path, _settings(json.loads(body or b"{}"), self.store.settings(path).secrets))
        except (ValueError, TypeError) as error:
            self._json(400, {"error": str(error)})
        else:
            self._json(200, asdict(self.store.settings(path)))

    def _json(self, status: int, body: dict[str, Any]) -> None:
        self._send(status, json.dumps(body, indent=2).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()


def _challenge(body: bytes) -> str:
    """What a webhook asks to have answered, if it is the challenge of an endpoint's owner."""
    try:
        said = json.loads(body)
        return str(said["data"]["challenge"]) if said["type"] == "webhook.verification" else ""
    except (ValueError, KeyError, TypeError):
        return ""


def _settings(body: dict[str, Any], known: list[str]) -> PathSettings:
    """How a path behaves from now on; its secrets stay unless others are named."""
    secrets = list(body.pop("secrets", [] if "secret" in body else known))
    if "secret" in body:
        secrets.append(body.pop("secret"))
    unknown = set(body) - _BEHAVIOUR
    if unknown:
        raise ValueError(
            f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(sorted(_BEHAVIOUR))}, secret, secrets"
        )
    return PathSettings(secrets, Behaviour(**body))


class Server(ThreadingHTTPServer):
    """The HTTP server; threads die with the process."""

    daemon_threads = True
    request_queue_size = 256


def serve(port: int, state: Path) -> Server:
    """A bound server; the caller runs `serve_forever`."""

    class Bound(Handler):
        """The handler of this server's store."""

        store = Store(state)

    return Server(("127.0.0.1", port), Bound)
