"""Counts what really goes over the wire to PostgreSQL: statements, and how often the client waited for an answer.

It stands between a client and the server and believes neither: not `Database.round_trips`, not an ORM's events.
"""

import selectors
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench.harness.rounds import Figures

_BLOCK = 65_536
_EXECUTING = frozenset({ord("E"), ord("Q")})
"""Execute of the extended protocol, Query of the simple one."""
_STARTUP_CODES_WITH_MORE_TO_COME = frozenset({80877103, 80877104})
"""SSLRequest and GSSENCRequest: after them the client speaks again without a type byte."""


@dataclass
class Traffic:
    """What went over the wire; BEGIN and COMMIT are statements like any other."""

    statements: int = 0
    round_trips: int = 0


class _Frontend:
    """Reads a client's messages as they stream by (PostgreSQL's frontend/backend protocol 3)."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._started = False

    def statements(self, data: bytes) -> int:
        """How many statements end in this piece."""
        self._buffer += data
        found = 0
        while (message := self._next()) is not None:
            found += message in _EXECUTING
        return found

    def _next(self) -> int | None:
        typed = int(self._started)
        if len(self._buffer) < typed + 4:
            return None
        length = typed + struct.unpack_from("!I", self._buffer, typed)[0]
        if len(self._buffer) < length:
            return None
        kind = self._buffer[0] if typed else 0
        if not typed:
            code = struct.unpack_from("!I", self._buffer, 4)[0]
            self._started = code not in _STARTUP_CODES_WITH_MORE_TO_COME
        del self._buffer[:length]
        return kind


class Wire:
    """A port that leads to the server; counts into `traffic`."""

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.traffic = Traffic()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def _relay(self, client: socket.socket) -> None:
        frontend, asked = _Frontend(), False
        with client, socket.create_connection(self._server) as server, selectors.DefaultSelector() as ready:
            ready.register(client, selectors.EVENT_READ, server)
            ready.register(server, selectors.EVENT_READ, client)
            while True:
                for key, _ in ready.select():
                    source, target = key.fileobj, key.data
                    if not isinstance(source, socket.socket) or not (data := source.recv(_BLOCK)):
                        return
                    if source is client:
                        self.traffic.statements += frontend.statements(data)
                        asked = True
                    elif asked:
                        self.traffic.round_trips += 1
                        asked = False
                    target.sendall(data)


@contextmanager
def wire(host: str, port: int) -> Iterator[Wire]:
    """A counting way to a server, for as long as the block lasts."""
    way = Wire(host, port)
    try:
        yield way
    finally:
        way.close()


def counted(way: Wire, work: Callable[[], object]) -> Figures:
    """What a piece of work costs on the wire when it is done a second time."""
    work()
    way.traffic = Traffic()
    work()
    return {"statements": float(way.traffic.statements), "round_trips": float(way.traffic.round_trips)}
