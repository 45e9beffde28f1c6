"""A socket whose every wait ends at one moment, and which reads no more than it is allowed to.

A socket's own time-out begins anew with each byte, so a receiver that drips would hold a caller for as long as it
likes; here the whole call has one deadline.
"""

import io
import socket
import time
from typing import Any


class AnswerTooLong(Exception):
    """The receiver sent more than a call reads."""


class Deadline:
    """A moment by which a call has ended."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds until then; raises `TimeoutError` when it has come."""
        seconds = self._at - time.monotonic()
        if seconds <= 0:
            raise TimeoutError
        return seconds


class Wire:
    """What `http.client` needs of a socket, under a deadline; reads `allowance` bytes and then no more."""

    def __init__(self, connected: socket.socket, deadline: Deadline, allowance: int) -> None:
        self._socket = connected
        self._deadline = deadline
        self._allowance = allowance

    def sendall(self, content: bytes) -> None:
        """Send everything."""
        self._socket.settimeout(self._deadline.left())
        self._socket.sendall(content)

    def receive(self, buffer: Any) -> int:
        """Fill some of the buffer; 0 at the end."""
        if self._allowance <= 0:
            raise AnswerTooLong
        self._socket.settimeout(self._deadline.left())
        count = self._socket.recv_into(buffer)
        self._allowance -= count
        return count

    def makefile(self, _mode: str) -> io.BufferedReader:
        """The answer as a file."""
        return io.BufferedReader(_Answer(self))

    def close(self) -> None:
        """Nothing: `http.client` lets go of its socket before the body is read. Whoever connected hangs up."""


class _Answer(io.RawIOBase):
    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._wire.receive(buffer)
