"""One call, from the look-up of its host to the end of its answer, as steps between which it waits.

A conversation is a generator: it yields what it waits for (`select.POLLIN`, `POLLOUT`, or LOOKING while its host is
looked up) of its `socket`, which never blocks, and is gone on with when that has come or its deadline has.
"""

import errno
import os
import select
import socket
import ssl
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from ipaddress import ip_address

from shared.outbound.errors import AddressRefused, UrlRefused
from shared.outbound.gateway.answer import Answer, AnswerTooLong, NotHttp
from shared.outbound.gateway.kept import KeptConnections
from shared.outbound.model import Outcome
from shared.outbound.rules import addresses, urls
from shared.outbound.rules.own import NOBODY, Own

LOOKING = 0
_TRIED_ADDRESSES = 3
_PIECE = 65_536
_KNOWN = 1024
_MERCY_SECONDS = 15.0
"""By which a call may last longer than it was to, where that is our own doing: claims end after 75 s."""
_FEW_ADDRESSES = 16
"""What a name with more of them says is not remembered: whoever owns it says how many there are, each time others."""

Steps = Generator[int, None, None]
LookUp = Callable[[str, int], list[str] | OSError | None]
"""The addresses of a name, or why there are none; None while that is not known."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked: the headers are the caller's, without those of the wire."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None
    seconds: float
    keep: int
    """Bytes of the answer's body that are wanted."""


class Means:
    """What all calls of a caller are made with."""

    def __init__(
        self,
        allowed: addresses.AllowList,
        *,
        own: Own = NOBODY,
        tls: ssl.SSLContext | None = None,
        kept: KeptConnections | None = None,
    ) -> None:
        self.kept = kept
        if tls is not None:
            self.tls = tls

        # Both say the same of the same text at any time; what a name resolves to is asked for each call.
        @lru_cache(_KNOWN)
        def parse(url: str) -> urls.Url:
            return own.check(urls.parse(url, allowed))

        @lru_cache(_KNOWN)
        def known(found: tuple[str, ...], exempt_only: bool) -> tuple[str, ...]:  # noqa: FBT001  the cache's key
            return tuple(str(one) for one in addresses.check(found, allowed, exempt_only=exempt_only))

        def check(found: tuple[str, ...], exempt_only: bool) -> tuple[str, ...]:  # noqa: FBT001  as above
            few = len(found) <= _FEW_ADDRESSES
            return (known if few else known.__wrapped__)(found, exempt_only)

        self.parse, self.check = parse, check

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """Verifies, and speaks nothing older than TLS 1.2."""
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context


class Conversation:
    """One call as it goes on: what is known of its answer, and when each step was done."""

    def __init__(self, request: Request, means: Means, look_up: LookUp) -> None:
        self.request = request
        self.socket: socket.socket | None = None
        self.began = time.monotonic()
        self.deadline = self.began + request.seconds
        self._mercy = _MERCY_SECONDS
        self._means = means
        self._look_up = look_up
        self._answer = Answer(request.keep)
        self._timing: dict[str, float] = {}
        self._began = time.perf_counter()
        self.steps = self._talk()

    def forgive(self, seconds: float) -> None:
        """So long nobody listened, which is not the receiver's fault: its deadline is later, up to a bound."""
        later = min(max(0.0, seconds), self._mercy)
        self._mercy -= later
        self.deadline += later

    def lasted(self, now: float) -> float:
        """How long it has gone on, as far as that is not our own doing."""
        return now - self.began - (_MERCY_SECONDS - self._mercy)

    def outcome(self, error: Exception | None) -> Outcome:
        """What it came to; whatever went wrong is told in words that tell nothing about where the name points."""
        answer = self._answer
        words = _words(error) if error is not None else ""
        if not words and answer.status is not None and not 200 <= answer.status < 300:  # noqa: PLR2004  HTTP's own
            words = _refusal(answer.status)
        self._mark("total")
        answer.let_go()
        wish = answer.headers.get("retry-after", "")
        return Outcome(answer.status, words, bytes(answer.body), wish, answer.headers, self._timing)

    def _talk(self) -> Steps:
        url = self._means.parse(self.request.url)
        found = yield from self._addresses(url)
        hosts = self._means.check(found, url.exempt_only)
        self._mark("dns")
        content = _request(self.request, url)
        kept = self._means.kept.take(self.request.url, hosts) if self._means.kept is not None else None
        if kept is not None:
            try:
                yield from self._ask(*kept, content)
            except (ConnectionError, ssl.SSLError):
                # Its other side hung up just now, as servers do with idle connections: anew, within the same deadline.
                if self._answer.status is not None:
                    raise
                self._answer = Answer(self.request.keep)
            else:
                return
        connected, address = yield from self._connect(hosts, url)
        yield from self._ask(connected, address, content)

    def _addresses(self, url: urls.Url) -> Generator[int, None, tuple[str, ...]]:
        if _is_address(url.host):
            return (url.host,)
        while (found := self._look_up(url.host, url.port)) is None:
            yield LOOKING
        if isinstance(found, OSError):
            raise found
        return tuple(found)

    def _connect(self, hosts: tuple[str, ...], url: urls.Url) -> Generator[int, None, tuple[socket.socket, str]]:
        failure: OSError = ConnectionRefusedError()
        for host in hosts[:_TRIED_ADDRESSES]:
            self.socket = made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
            try:
                made.setblocking(False)
                code = made.connect_ex((host, url.port))
                if code == errno.EINPROGRESS:
                    yield select.POLLOUT
                    code = made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if code:
                    raise OSError(code, os.strerror(code))  # noqa: TRY301  told apart by its code, and caught as others
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._mark("connect")
                if not url.tls:
                    return made, host
                self.socket = made = self._means.tls.wrap_socket(
                    made, server_hostname=url.host, do_handshake_on_connect=False
                )
                yield from self._shake_hands(made)
            except ssl.SSLError:
                made.close()
                raise
            except OSError as error:
                made.close()
                if isinstance(error, TimeoutError) or "connect" in self._timing:
                    raise
                failure = error
            except BaseException:
                made.close()
                raise
            else:
                return made, host
        raise failure

    def _shake_hands(self, connected: ssl.SSLSocket) -> Steps:
        while True:
            try:
                connected.do_handshake()
            except ssl.SSLWantReadError:
                yield select.POLLIN
            except ssl.SSLWantWriteError:
                yield select.POLLOUT
            else:
                self._mark("tls")
                return

    def _ask(self, connected: socket.socket, address: str, content: bytes) -> Steps:
        """Send the request on a connection and read its answer; it is kept where that ended as it should."""
        self.socket, kept = connected, self._means.kept
        try:
            yield from _send(connected, content)
            yield select.POLLIN
            yield from self._receive(connected)
        finally:
            if kept is None or not self._answer.is_whole:
                connected.close()
        if kept is not None and self._answer.is_whole:
            kept.keep(self.request.url, connected, address)

    def _receive(self, connected: socket.socket) -> Steps:
        answer = self._answer
        while not answer.is_over:
            try:
                part = connected.recv(_PIECE)
            except (BlockingIOError, ssl.SSLWantReadError):
                yield select.POLLIN
                continue
            except ssl.SSLWantWriteError:
                yield select.POLLOUT
                continue
            if "first_byte" not in self._timing:
                self._mark("first_byte")
            if part:
                answer.feed(part)
            else:
                answer.end()

    def _mark(self, step: str) -> None:
        self._timing[step] = round((time.perf_counter() - self._began) * 1000, 1)


@lru_cache(_KNOWN)
def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _request(request: Request, url: urls.Url) -> bytes:
    lines = [f"{request.method} {url.target} HTTP/1.1", f"host: {url.host_header}", "accept-encoding: identity"]
    if request.body is not None:
        lines.append(f"content-length: {len(request.body)}")
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    head = "\r\n".join(lines)
    if head.count("\n") != len(lines) - 1 or head.count("\r") != len(lines) - 1:
        raise ValueError("a header has a line break")
    return f"{head}\r\n\r\n".encode("latin-1") + (request.body or b"")


def _send(connected: socket.socket, content: bytes) -> Steps:
    left = memoryview(content)
    while left:
        try:
            left = left[connected.send(left) :]
        except (BlockingIOError, ssl.SSLWantWriteError):
            yield select.POLLOUT
        except ssl.SSLWantReadError:
            yield select.POLLIN


REFUSALS = (OSError, NotHttp, AnswerTooLong, AddressRefused, UrlRefused)
"""What a call may come to beside an answer."""
_WORDS: tuple[tuple[type[Exception], str], ...] = (
    (AddressRefused, "The host may not be called: it is not on the public internet."),
    (AnswerTooLong, "The answer is too long."),
    (TimeoutError, "There was no whole answer in time."),
    (socket.gaierror, "The host's name cannot be resolved."),
    (ssl.SSLError, "TLS could not be agreed on."),
    (ConnectionRefusedError, "The connection was refused."),
    (OSError, "The connection broke."),
    (NotHttp, "The answer is not HTTP."),
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
