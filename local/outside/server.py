"""All strangers.

UDP                          DNS: text records that were set; anything else is NXDOMAIN
GET    /range/<5 digits>     the list of breached passwords, with padding
GET    /pages/<host>/<path>   what was put there, in place of that host: certificates of SNS, keys of Google
PUT    /_control/pages/<host>/<path>  {"text": "…"}
PUT    /_control/names/<name>        {"texts": ["…"]}; DELETE forgets it
PUT    /_control/breached            {"password": "…", "count": 3}
PUT    /_control/misbehave/list      {"times": 1, "status": 503, "delay": 0.0, "body": "…"}
PUT    /_control/misbehave/names     {"times": 1, "silent": true}; SERVFAIL where not silent
GET    /_health
"""

import json
import re
import secrets
import socketserver
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rrset

from local.outside.store import Store, digest

HOST = "127.0.0.1"


class Names(socketserver.BaseRequestHandler):
    """One question to the name server."""

    store: ClassVar[Store]

    def handle(self) -> None:
        """Answer it, unless told to stay silent."""
        packet, socket = self.request
        wrong = self.store.misbehaviour("names")
        if wrong.get("silent"):
            return
        try:
            asked = dns.message.from_wire(packet)
        except dns.exception.DNSException:
            return
        answer = dns.message.make_response(asked)
        answer.flags |= dns.flags.RA
        question = asked.question[0]
        texts = self.store.texts(question.name.to_text())
        if wrong:
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif texts is None:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        else:
            quoted = [json.dumps(text) for text in texts]
            answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", "TXT", *quoted))
        socket.sendto(answer.to_wire(), self.client_address)


class Lists(BaseHTTPRequestHandler):
    """One request to the list of breached passwords, or to the controls."""

    protocol_version = "HTTP/1.1"
    timeout = 60
    store: ClassVar[Store]

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class names it so
        """Stay quiet."""

    def do_GET(self) -> None:
        """The list, and whether it is there."""
        match = re.fullmatch(r"/range/([0-9A-Fa-f]{5})", self.path)
        if self.path == "/_health":
            self._send(200, '{"status": "ok"}')
        elif self.path.startswith("/pages/"):
            found = self.store.page(self.path.removeprefix("/pages/").partition("?")[0])
            self._send(404 if found is None else 200, found or "")
        elif match is None:
            self._send(400, "The hash prefix was not in a valid format")
        else:
            wrong = self.store.misbehaviour("list")
            time.sleep(wrong.get("delay", 0.0))
            self._send(wrong.get("status", 200), wrong.get("body") or self._range(match[1].upper()))

    def _range(self, prefix: str) -> str:
        found = self.store.range(prefix)
        padding = {secrets.token_hex(18)[:35].upper(): 0 for _ in range(800)}
        return "\r\n".join(f"{suffix}:{count}" for suffix, count in sorted({**padding, **found}.items()))

    def do_PUT(self) -> None:
        """Set something."""
        body: dict[str, Any] = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or b"{}")
        _, _, what, *name = self.path.split("/")
        if what == "pages":
            self.store.put("pages", "/".join(name), body["text"])
        elif what == "names":
            self.store.put("texts", name[0].lower(), body["texts"])
        elif what == "breached":
            self.store.put("breached", digest(body["password"]), body.get("count", 1))
        else:
            self.store.put("misbehave", name[0], body)
        self._send(200, "{}")

    def do_DELETE(self) -> None:
        """Forget the records of a name."""
        self.store.put("texts", self.path.rpartition("/")[2].lower(), None)
        self._send(200, "{}")

    def _send(self, status: int, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _NameServer(socketserver.ThreadingUDPServer):
    daemon_threads = True


def serve(port: int, state: Path) -> tuple[socketserver.ThreadingUDPServer, ThreadingHTTPServer]:
    """Both servers, bound; the caller runs them."""
    kept = Store(state)
    names = type("BoundNames", (Names,), {"store": kept})
    lists = type("BoundLists", (Lists,), {"store": kept})
    return _NameServer((HOST, port), names), ThreadingHTTPServer((HOST, port), lists)
