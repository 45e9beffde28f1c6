"""One kept connection to a server that we trust, and `POST /` on it, with no more work than that takes.

`http.client` reads answers' headers as it would a mail's and sends a request in two pieces: half of what a call of AWS
costs. Answers here are those of AWS's endpoints: a length or chunks, and headers of which three matter.
"""

import re
import socket
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl

_PIECE = 65_536
_LONGEST_HEAD = 65_536
_FIRST_FINAL_STATUS = 200
_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: |\r|$)")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,18})[ \t]*(?:\r|$)", re.IGNORECASE)
_FRAMED = re.compile(rb"\r\n(?:content-length|transfer-encoding):", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked[ \t]*(?:\r|$)", re.IGNORECASE)
_CLOSES = re.compile(rb"\r\nconnection:[ \t]*close[ \t]*(?:\r|$)", re.IGNORECASE)
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;|$)")


class BrokenAnswer(ConnectionError):
    """What came is no whole answer; the connection is of no more use."""


class Connection:
    """Made when it is first used; `OSError` from any call ends its use."""

    def __init__(self, host: str, port: int, *, tls: bool, timeout: float) -> None:
        self._address = (host, port)
        self._tls = tls
        self._timeout = timeout
        self._socket: socket.socket | None = None

    def post(self, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """One exchange: the status and the answer's body. `headers` include the host."""
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        head = f"POST / HTTP/1.1\r\n{lines}accept-encoding: identity\r\ncontent-length: {len(body)}\r\n\r\n"
        connected = self._connected()
        connected.sendall(head.encode("ascii") + body)
        answer = _Answer(connected)
        status, content = answer.read()
        if not answer.is_kept:
            self.close()
        return status, content

    def close(self) -> None:
        """Hang up; the next call connects anew."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    def _connected(self) -> socket.socket:
        if self._socket is None:
            connected = socket.create_connection(self._address, timeout=self._timeout)
            try:
                connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._tls:
                    connected = _tls().wrap_socket(connected, server_hostname=self._address[0])
            except BaseException:
                connected.close()
                raise
            self._socket = connected
        return self._socket


@lru_cache(maxsize=1)
def _tls() -> "ssl.SSLContext":
    """What the platform's authorities vouch for; they are read once."""
    import ssl  # noqa: PLC0415  local endpoints go without

    return ssl.create_default_context()


class _Answer:
    """An answer as it comes in, and whether its connection is good for another exchange."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._heard = b""
        self.is_kept = False

    def read(self) -> tuple[int, bytes]:
        """The final status and the body."""
        while True:
            head = self._until(b"\r\n\r\n", _LONGEST_HEAD)
            told = _STATUS.match(head)
            if told is None:
                raise BrokenAnswer("is not HTTP/1.1")
            if (status := int(told[2])) >= _FIRST_FINAL_STATUS:
                break
        self.is_kept = told[1] == b"1" and _CLOSES.search(head) is None
        if length := _LENGTH.search(head):
            body = self._exactly(int(length[1]))
        elif _CHUNKED.search(head):
            body = self._chunks()
        elif _FRAMED.search(head):
            raise BrokenAnswer("is framed in no known way")
        else:
            body, self.is_kept = self._rest(), False
        self.is_kept = self.is_kept and not self._heard
        return status, body

    def _chunks(self) -> bytes:
        body = b""
        while True:
            told = _SIZE.match(self._until(b"\r\n", _LONGEST_HEAD))
            if told is None:
                raise BrokenAnswer("is not HTTP/1.1")
            if (size := int(told[1], 16)) == 0:
                break
            body += self._exactly(size)
            self._until(b"\r\n", 0)
        while self._until(b"\r\n", _LONGEST_HEAD):
            pass
        return body

    def _until(self, mark: bytes, longest: int) -> bytes:
        while (end := self._heard.find(mark)) < 0:
            if len(self._heard) > longest + len(mark):
                raise BrokenAnswer("does not end")
            self._hear()
        found, self._heard = self._heard[:end], self._heard[end + len(mark) :]
        return found

    def _exactly(self, length: int) -> bytes:
        if len(self._heard) < length:
            parts, left = [self._heard], length - len(self._heard)
            while left > 0:
                self._heard = b""
                self._hear()
                parts.append(self._heard)
                left -= len(self._heard)
            self._heard = b"".join(parts)
        found, self._heard = self._heard[:length], self._heard[length:]
        return found

    def _rest(self) -> bytes:
        parts = [self._heard]
        while part := self._socket.recv(_PIECE):
            parts.append(part)
        self._heard = b""
        return b"".join(parts)

    def _hear(self) -> None:
        part = self._socket.recv(_PIECE)
        if not part:
            raise BrokenAnswer("broke off")
        self._heard += part
