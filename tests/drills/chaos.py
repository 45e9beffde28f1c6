"""A receiver on which nothing can be relied: it fails, hangs, resets, redirects and recovers, as chance has it."""

import json
import random
import socket
import struct
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HANG_SECONDS = 1.5
"""Longer than the endpoints of the drill wait."""
_NO_LINGER = struct.pack("ii", 1, 0)


@dataclass
class Chaos:
    """What came, by path: `calls` of each event, and `accepted` events in the order of their first acceptance.

    After so many calls a path is down altogether for a while, and recovers.
    """

    chance: random.Random
    down: range
    calls: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    accepted: dict[str, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))
    repeats: int = 0
    resets: int = 0
    """Calls that got no byte: on a connection that was kept, the client makes them anew, within the same attempt."""
    taken: int = 0
    """Events that were accepted, each once by path."""

    def __post_init__(self) -> None:
        chaos, self._lock = self, threading.Lock()
        self._known: set[tuple[str, str]] = set()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                what = chaos.choose(self.path, body["id"])
                if what == "hang":
                    time.sleep(HANG_SECONDS)
                if what in {"hang", "reset"}:
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
                    self.close_connection = True
                    return
                if what == "200":
                    chaos.accept(self.path, body["id"], body["subject"])
                self.send_response(int(what))
                if what == "302":
                    self.send_header("location", "/elsewhere")
                if what == "503":
                    self.send_header("retry-after", "1")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class names it so
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 100

            def handle_error(self, request: object, client_address: object) -> None:
                """Callers hang up; that is what this is about."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def choose(self, path: str, event: str) -> str:
        """What becomes of a call."""
        with self._lock:
            self.calls[path][event] += 1
            if self.calls[path].total() in self.down:
                return "500"
            kinds = {"200": 760, "500": 100, "503": 4, "302": 60, "reset": 70, "hang": 6}
            [kind] = self.chance.choices(list(kinds), list(kinds.values()))
            self.resets += kind == "reset"
            return kind

    def accept(self, path: str, event: str, subject: str) -> None:
        """An event was taken."""
        with self._lock:
            if (path, event) in self._known:
                self.repeats += 1
            else:
                self._known.add((path, event))
                self.accepted[path].append((event, subject))
                self.taken += 1

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
