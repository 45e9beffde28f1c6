"""Calls to servers of strangers, at addresses of their choice: webhooks' receivers, identity providers.

A name is resolved once, every address it has is checked, and the call goes to a checked address; TLS asks for the
certificate of the name. A connection may be kept for the next call of its URL, whose addresses are checked all the
same. Nothing is followed, nothing unpacked, and time and length are bounded as a whole.
"""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from ipaddress import ip_address
from queue import Empty, SimpleQueue

from shared.outbound.errors import AddressRefused, UrlRefused
from shared.outbound.gateway.kept import KeptConnections
from shared.outbound.gateway.wire import AnswerTooLong, Deadline, Wire
from shared.outbound.model import Outcome
from shared.outbound.rules import addresses, urls
from shared.outbound.rules.own import NOBODY, Own

DEADLINE_SECONDS = 15.0
KEPT_BODY = 20_000
"""Bytes of an answer's body that are read and kept, where the caller asks for no more."""
_ALLOWANCE = 111_072
"""Bytes that an answer may have beside what is kept of its body."""
_TRIED_ADDRESSES = 3

Resolve = Callable[[str, int], list[str]]


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
        self._allowed = allowed
        self._own = own
        self._kept = kept
        self._resolve = resolver
        self._seconds = seconds
        if tls is not None:
            self._tls = tls

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context

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
        return self._whole("POST", url, headers, body, keep, seconds)

    def get(self, url: str, headers: Mapping[str, str], *, keep: int = KEPT_BODY) -> Outcome:
        """The same, to read."""
        return self._whole("GET", url, headers, None, keep)

    def _whole(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        keep: int,
        seconds: float | None = None,
    ) -> Outcome:
        call = _Call(url, seconds or self._seconds, keep)
        try:
            self._send(call, method, self._own.check(urls.parse(url, self._allowed)), headers, body)
        except (OSError, http.client.HTTPException, AnswerTooLong, AddressRefused, UrlRefused) as error:
            call.error = _words(error)
        if not call.error and call.status is not None and not 200 <= call.status < 300:  # noqa: PLR2004  HTTP's own
            call.error = _refusal(call.status)
        call.mark("total")
        return Outcome(call.status, call.error, bytes(call.body), call.retry_after, call.headers, call.timing)

    def _send(self, call: "_Call", method: str, url: urls.Url, headers: Mapping[str, str], body: bytes | None) -> None:
        found = self._addresses(url, call.deadline)
        checked = addresses.check(found, self._allowed, exempt_only=url.exempt_only)
        hosts = [str(address) for address in checked]
        call.mark("dns")
        kept = self._kept.take(call.url, hosts) if self._kept is not None else None
        if kept is not None:
            try:
                self._ask(call, *kept, method, url, headers, body)
            except (ConnectionError, ssl.SSLError):
                # Its other side hung up just now, as servers do with idle connections: anew, within the same deadline.
                if call.status is not None:
                    raise
            else:
                return
        connected, address = _connect(hosts, url.port, call.deadline)
        try:
            call.mark("connect")
            if url.tls:
                connected.settimeout(call.deadline.left())
                connected = self._tls.wrap_socket(connected, server_hostname=url.host)
                call.mark("tls")
        except BaseException:
            connected.close()
            raise
        self._ask(call, connected, address, method, url, headers, body)

    def _ask(
        self,
        call: "_Call",
        connected: socket.socket,
        address: str,
        method: str,
        url: urls.Url,
        headers: Mapping[str, str],
        body: bytes | None,
    ) -> None:
        """Send the request on a connection and read its answer; it is kept where that ended as it should."""
        is_whole = False
        try:
            connection = http.client.HTTPConnection(url.host)
            connection.sock = Wire(connected, call.deadline, _ALLOWANCE + call.keep)
            connection.request(method, url.target, body, {"host": url.host_header, **headers})
            is_whole = call.read(connection.getresponse())
        finally:
            if not is_whole or self._kept is None:
                connected.close()
        if is_whole and self._kept is not None:
            self._kept.keep(call.url, connected, address)

    def _addresses(self, url: urls.Url, deadline: Deadline) -> list[str]:
        """The host's addresses; a resolver that does not answer is left behind at the deadline."""
        try:
            return [str(ip_address(url.host))]
        except ValueError:
            pass
        answers: SimpleQueue[list[str] | OSError] = SimpleQueue()

        def ask() -> None:
            try:
                answers.put(self._resolve(url.host, url.port))
            except OSError as error:
                answers.put(error)

        threading.Thread(target=ask, daemon=True).start()
        try:
            answer = answers.get(timeout=deadline.left())
        except Empty as error:
            raise TimeoutError from error
        if isinstance(answer, OSError):
            raise answer
        return answer


class _Call:
    """One call as it goes on: what is known of its answer, and when each step was done."""

    def __init__(self, url: str, seconds: float, keep: int) -> None:
        self.url = url
        self._started = time.perf_counter()
        self.deadline = Deadline(seconds)
        self.keep = keep
        self.status: int | None = None
        self.error = ""
        self.body = bytearray()
        self.retry_after = ""
        self.headers: dict[str, str] = {}
        self.timing: dict[str, float] = {}

    def mark(self, step: str) -> None:
        self.timing[step] = round((time.perf_counter() - self._started) * 1000, 1)

    def read(self, response: http.client.HTTPResponse) -> bool:
        """Take the status, then as much of the body as is kept. The status decides even if the body breaks off.

        Whether that was all of an answer after which the connection stays open.
        """
        self.mark("first_byte")
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.headers.items()}
        self.retry_after = self.headers.get("retry-after", "")
        while len(self.body) < self.keep:
            part = response.read1(self.keep - len(self.body))
            if not part:
                return not response.will_close and (response.isclosed() or response.length == 0)
            self.body += part
        return False


def _connect(hosts: list[str], port: int, deadline: Deadline) -> tuple[socket.socket, str]:
    failure: OSError = ConnectionRefusedError()
    for host in hosts[:_TRIED_ADDRESSES]:
        try:
            connected = socket.create_connection((host, port), timeout=deadline.left())
        except TimeoutError:
            raise
        except OSError as error:
            failure = error
            continue
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connected, host
    raise failure


_WORDS: tuple[tuple[type[Exception], str], ...] = (
    (AddressRefused, "The host may not be called: it is not on the public internet."),
    (AnswerTooLong, "The answer is too long."),
    (TimeoutError, "There was no whole answer in time."),
    (socket.gaierror, "The host's name cannot be resolved."),
    (ssl.SSLError, "TLS could not be agreed on."),
    (ConnectionRefusedError, "The connection was refused."),
    (OSError, "The connection broke."),
    (http.client.HTTPException, "The answer is not HTTP."),
)
"""The first kind that fits says it."""


def _words(error: Exception) -> str:
    if isinstance(error, UrlRefused):
        return error.detail
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"The certificate is not valid: {error.verify_message}."
    return next(words for kind, words in _WORDS if isinstance(error, kind))


def _refusal(status: int) -> str:
    if 300 <= status < 400:  # noqa: PLR2004  HTTP's own boundaries
        return f"The receiver answered {status}; redirects are not followed."
    return f"The receiver answered {status}."
