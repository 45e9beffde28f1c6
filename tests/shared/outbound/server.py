"""A server that may misbehave in any way a socket allows."""

import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

Conversation = Callable[[socket.socket], None]


@dataclass
class Server:
    """A server that holds one conversation with whoever connects; `heard` is what they said first."""

    talk: Conversation
    tls: ssl.SSLContext | None = None
    heard: list[bytes] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        if self.tls is not None:
            self.tls.sni_callback = lambda _socket, name, _context: self.names.append(name)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._converse, args=(accepted,), daemon=True).start()

    def _converse(self, accepted: socket.socket) -> None:
        try:
            if self.tls is not None:
                accepted = self.tls.wrap_socket(accepted, server_side=True)
            with accepted:
                self.heard.append(_request(accepted))
                self.talk(accepted)
        except OSError:
            pass

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def _request(accepted: socket.socket) -> bytes:
    heard = b""
    while b"\r\n\r\n" not in heard:
        heard += accepted.recv(65_536)
    head, _, body = heard.partition(b"\r\n\r\n")
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-len"))
    while len(body) < length:
        body += accepted.recv(65_536)
    return head + b"\r\n\r\n" + body
