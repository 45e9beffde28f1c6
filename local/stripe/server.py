"""The stand-in over HTTP: API calls with their drills, pages, control, and the ticking clock."""

import json
import threading
import time
from collections import deque
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from local.stripe import clockwork, pages
from local.stripe.account import Account, new_id
from local.stripe.api import Answer, Api, Request
from local.stripe.control import Control
from local.stripe.delivery import Sender
from local.stripe.drills import Fault
from local.stripe.errors import StripeError
from local.stripe.store import Obj, Store

HOSTS = frozenset({"127.0.0.1", "localhost"})
MAX_BODY = 2_000_000
TICK = 1.0


@dataclass
class StandIn:
    """Everything one stand-in process holds."""

    account: Account
    api: Api
    control: Control
    sender: Sender
    requests: deque[Obj]

    @classmethod
    def open(cls, state: Path, base_url: str, api_key: str) -> "StandIn":
        """Open (or make) the state and wire the parts."""
        account = Account(Store(state), base_url)
        sender = Sender(account.store)
        return cls(account, Api(account, api_key), Control(account, sender), sender, deque(maxlen=500))

    def tick(self, stop: threading.Event) -> None:
        """Let time do its work until told to stop."""
        while not stop.wait(TICK):
            with self.account.store.transaction():
                clockwork.run(self.account, self.account.moment())


class Handler(BaseHTTPRequestHandler):
    """Reads a request, finds who answers it, writes the answer."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    stand_in: ClassVar[StandIn]

    def do_GET(self) -> None:
        """Answer GET."""
        self._serve()

    def do_POST(self) -> None:
        """Answer POST."""
        self._serve()

    def do_DELETE(self) -> None:
        """Answer DELETE."""
        self._serve()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class names it so
        """Stay quiet; `/_control/requests` tells."""

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > MAX_BODY:
            self.close_connection = True
            self._json(413, {"error": {"type": "invalid_request_error", "message": "Request too large."}})
            return
        body = self.rfile.read(length)
        parts = urlsplit(self.path)
        if (self.headers.get("Host") or "").rpartition(":")[0] not in HOSTS:
            self._json(403, {"error": {"type": "invalid_request_error", "message": "Loopback only."}})
        elif parts.path == "/_health":
            self._json(200, {"status": "ok"})
        elif parts.path.startswith("/_control"):
            self._steer(parts.path, body)
        elif parts.path.startswith(("/checkout/", "/portal/")):
            self._page(parts.path)
        else:
            headers = {name.lower(): value for name, value in self.headers.items()}
            self._call(Request(self.command, parts.path, parts.query, headers, body))

    def _call(self, request: Request) -> None:
        fault = self.stand_in.account.drills.take_fault(f"{request.method} {request.path}")
        answer = None if fault and not fault.executed else self.stand_in.api.answer(request)
        if fault:
            time.sleep(fault.delay)  # the drill is the waiting
            if fault.drop:
                self._note(request, 0)
                self.close_connection = True
                return
            if fault.status:
                answer = _faulty(fault)
        answer = answer or self.stand_in.api.answer(request)
        self._note(request, answer.status)
        self._json(answer.status, answer.body, answer.headers)

    def _note(self, request: Request, status: int) -> None:
        self.stand_in.requests.appendleft(
            {
                "method": request.method,
                "path": request.path,
                "status": status,
                "idempotency_key": request.headers.get("idempotency-key"),
            }
        )

    def _steer(self, path: str, body: bytes) -> None:
        # A page elsewhere can make a browser post a form here, but not JSON.
        if self.command == "POST" and not (self.headers.get("Content-Type") or "").startswith("application/json"):
            self._json(415, {"error": {"message": "Control requests carry application/json."}})
            return
        try:
            if path == "/_control/requests":
                self._json(200, {"requests": list(self.stand_in.requests)})
            else:
                self._json(200, self.stand_in.control.answer(self.command, path, json.loads(body or b"{}")))
        except StripeError as error:
            self._json(error.status, error.body)
        except (ValueError, KeyError, TypeError) as error:
            self._json(400, {"error": {"message": f"{type(error).__name__}: {error}"}})

    def _page(self, path: str) -> None:
        account = self.stand_in.account
        try:
            with account.store.transaction():
                if self.command == "POST":
                    self._send(303, b"", {"Location": pages.submit(account, path)})
                else:
                    page = pages.render(account, path).encode()
                    self._send(200, page, {"Content-Type": "text/html; charset=utf-8"})
        except StripeError as error:
            self._json(error.status, error.body)

    def _json(self, status: int, body: Obj, headers: dict[str, str] | None = None) -> None:
        text = json.dumps(body, indent=2).encode()
        self._send(status, text, {"Content-Type": "application/json", **(headers or {})})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value.replace("\r", "").replace("\n", ""))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


def _faulty(fault: Fault) -> Answer:
    status = fault.status or 500
    kind = "rate_limit_error" if status == 429 else "api_error"  # noqa: PLR2004
    error: Obj = {"type": kind, "message": "A drill: this call fails on purpose."}
    if fault.code:
        error["code"] = fault.code
    return Answer(status, {"error": error}, {"Request-Id": new_id("req_")})


class Server(ThreadingHTTPServer):
    """The HTTP server; threads die with the process."""

    daemon_threads = True
    request_queue_size = 128


def serve(port: int, state: Path, api_key: str) -> Server:
    """A bound server with its sender and clock running; the caller runs `serve_forever`."""

    class Bound(Handler):
        """The handler of this server's stand-in."""

    server = Server(("127.0.0.1", port), Bound)
    Bound.stand_in = StandIn.open(state, f"http://127.0.0.1:{server.server_address[1]}", api_key)
    Bound.stand_in.sender.start()
    threading.Thread(target=Bound.stand_in.tick, args=(threading.Event(),), daemon=True).start()
    return server
