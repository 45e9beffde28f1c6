"""A receiver of webhooks over TLS, in a process of its own, that answers everything at once."""

import asyncio
import datetime as dt
import multiprocessing
import ssl
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "localhost"
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


Seen = dict[str, float]
"""When the first byte of each message came, by its webhook-id, in seconds since 1970."""


class Receiver:
    """The process, as others see it."""

    def __init__(self, pipe: "Connection[Any, Any]") -> None:
        self._pipe = pipe
        self.port = int(pipe.recv())

    def seen(self) -> Seen:
        """What came since it was last asked."""
        self._pipe.send(None)
        seen: Seen = self._pipe.recv()
        return seen


@contextmanager
def receiver(pair: Path) -> Iterator[Receiver]:
    """A receiver, for as long as the block lasts."""
    context = multiprocessing.get_context("spawn")
    mine, its = context.Pipe()
    process = context.Process(target=_serve, args=(str(pair), its), daemon=True)
    process.start()
    yield Receiver(mine)
    process.terminate()
    process.join()


def _serve(pair: str, pipe: "Connection[Any, Any]") -> None:
    seen: Seen = {}

    def tell() -> None:
        pipe.recv()
        pipe.send(dict(seen))
        seen.clear()

    async def main() -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Taker(seen), "127.0.0.1", 0, ssl=context)
        loop.add_reader(pipe.fileno(), tell)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


class _Taker(asyncio.Protocol):
    """Answers each request when all of it is there."""

    def __init__(self, seen: Seen) -> None:
        self._heard, self._began = b"", 0.0
        self._seen = seen

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody came."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """They say something."""
        if not self._heard:
            self._began = time.time()
        self._heard += data
        while True:
            head, end, rest = self._heard.partition(b"\r\n\r\n")
            if not end:
                return
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            if len(rest) < length:
                return
            self._heard = rest[length:]
            name = head.partition(b"webhook-id: ")[2].partition(b"\r\n")[0].decode()
            self._seen.setdefault(name, self._began)
            self._transport.write(OK)  # type: ignore[attr-defined]


@contextmanager
def certificate() -> Iterator[Path]:
    """A certificate of this machine's name and address and its key, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "receiver")])
    now = dt.datetime.now(dt.UTC)
    names = [x509.DNSName(HOST), x509.IPAddress(IPv4Address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pair.pem"
        path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
        yield path
