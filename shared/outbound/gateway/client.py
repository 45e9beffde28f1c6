"""Calls to servers of strangers, at addresses of their choice: webhooks' receivers, identity providers.

A name is resolved once, every address it has is checked, and the call goes to a checked address; TLS asks for the
certificate of the name. A connection may be kept for the next call of its URL, whose addresses are checked all the
same. Nothing is followed, nothing unpacked, and time and length are bounded as a whole.
"""

import socket
import ssl
from collections.abc import Mapping
from typing import Any

from shared.outbound.gateway.conversation import Means, Request
from shared.outbound.gateway.kept import KeptConnections
from shared.outbound.gateway.side_by_side import Resolve, SideBySide
from shared.outbound.model import Outcome
from shared.outbound.rules import addresses
from shared.outbound.rules.own import NOBODY, Own

DEADLINE_SECONDS = 15.0
KEPT_BODY = 20_000
"""Bytes of an answer's body that are read and kept, where the caller asks for no more."""


def resolve(host: str, port: int) -> list[str]:
    """Every address of a name, as the system's resolver says."""
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class Strangers:
    """Makes the calls; safe to use from many threads."""

    def __init__(
        self,
        allowed: addresses.AllowList,
        *,
        resolver: Resolve = resolve,
        tls: ssl.SSLContext | None = None,
        seconds: float = DEADLINE_SECONDS,
        own: Own = NOBODY,
        kept: KeptConnections | None = None,
    ) -> None:
        self.means = Means(allowed, own=own, tls=tls, kept=kept)
        self._resolve = resolver
        self._seconds = seconds

    def side_by_side(self) -> SideBySide[Any]:
        """For calls that begin together: a host that several of them name is resolved once for them."""
        return SideBySide(self.means, self._resolve)

    def post(
        self,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        keep: int = KEPT_BODY,
        seconds: float | None = None,
    ) -> Outcome:
        """One call; whatever goes wrong is an outcome, in words that tell nothing about where the name points."""
        return self._one(Request("POST", url, headers, body, seconds or self._seconds, keep))

    def get(self, url: str, headers: Mapping[str, str], *, keep: int = KEPT_BODY) -> Outcome:
        """The same, to read."""
        return self._one(Request("GET", url, headers, None, self._seconds, keep))

    def _one(self, request: Request) -> Outcome:
        with self.side_by_side() as calls:
            calls.begin("it", request)
            [(_, outcome)] = calls.wait()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome
