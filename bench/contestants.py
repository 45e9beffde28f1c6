"""Who takes part in the request benchmarks: our real handler, the peer in process and under uvicorn, bare psycopg."""

import asyncio
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI

from bench.peers.service import PeerSettings, make
from bench.world import AUDIENCE, ISSUER, World, wire_function
from shared.identity.gateway.tokens import jwk
from tenant_context.clock import utc_now
from tenant_context.dynamo import Table
from tenant_context.key_ring import KeyRing

_STARTS_WITHIN_S = 20.0


class WrongAnswerError(RuntimeError):
    """A contestant did not do the work, so that its time means nothing."""


class Ours:
    """The real function, wired as in a sandbox; `send` passes it one event."""

    def __init__(self, world: World, *, bus: str = "") -> None:
        self.module: ModuleType = wire_function("campaigns", world.environment() | {"RMAP_BUS": bus})
        self._handler: Callable[[Mapping[str, Any], object], dict[str, Any]] = self.module.handler

    def send(self, event: Mapping[str, Any], status: int = 200) -> str:
        """One request; answers the body."""
        answer = self._handler(event, None)
        if answer["statusCode"] != status:
            raise WrongAnswerError(answer["body"])
        body: str = answer["body"]
        return body

    def forget_tokens(self) -> None:
        """As if no token had been seen before: the next request checks its signature again."""
        prover = next(iter(self._handler._provers.values()))  # type: ignore[attr-defined]  # noqa: SLF001  white box
        prover._users._verifier._verified.clear()  # noqa: SLF001

    def close(self) -> None:
        """Let go of the database."""
        self.module.database.close()


def peer_settings(world: World) -> PeerSettings:
    """The peer in a world, with the same key that signs our tokens."""
    address = world.address
    key = KeyRing(Table(world.ring), utc_now).find(world.key_id)
    if key is None:
        raise WrongAnswerError("the signing key is gone")
    return PeerSettings(
        database_url=(
            f"postgresql+psycopg://{address.user}:{quote(address.password, safe='')}"
            f"@{address.host}:{address.port}/{address.name}"
        ),
        public_key=json.dumps(jwk(key)),
        issuer=ISSUER,
        audience=AUDIENCE,
    )


class Peer:
    """The peer called through ASGI in this process: no network, no HTTP parser."""

    def __init__(self, world: World) -> None:
        self._app: FastAPI = make(peer_settings(world))
        self._runner = asyncio.Runner()

    def send(self, requests: list[dict[str, Any]], body: bytes = b"", status: int = 200) -> bytes:
        """Requests (ASGI scopes), one after the other; answers the last body."""
        return self._runner.run(self._send(requests, body, status))

    async def _send(self, requests: list[dict[str, Any]], body: bytes, status: int) -> bytes:
        answer = b""
        for scope in requests:
            answer = await self._one(scope, body, status)
        return answer

    async def _one(self, scope: dict[str, Any], body: bytes, status: int) -> bytes:
        parts: list[bytes] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.body":
                parts.append(message.get("body", b""))
            elif message["status"] != status:
                raise WrongAnswerError(f"the peer answered {message['status']}")

        await self._app(scope, receive, send)
        return b"".join(parts)

    def close(self) -> None:
        """End its loop and threads."""
        self._runner.close()


def asgi_request(event: Mapping[str, Any]) -> dict[str, Any]:
    """The same request as uvicorn would hand it to an application."""
    wanted = event["requestContext"]["http"]
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": wanted["method"],
        "scheme": "http",
        "path": event["rawPath"],
        "raw_path": event["rawPath"].encode(),
        "query_string": event["rawQueryString"].encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in event["headers"].items()],
        "client": ("192.0.2.1", 50000),
        "server": ("127.0.0.1", 80),
    }


class Served:
    """The peer under uvicorn, in a process of its own; `pid` is the one whose time counts."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int) -> None:
        self.pid = process.pid
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    def get(self, path: str, headers: Mapping[str, str]) -> bytes:
        """One request over a kept connection."""
        self._connection.request("GET", path, headers=dict(headers))
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != 200:  # noqa: PLR2004  HTTP's plain OK
            raise WrongAnswerError(f"uvicorn answered {answer.status}")
        return body


@contextmanager
def served_peer(world: World) -> Iterator[Served]:
    """Run the peer under uvicorn for as long as the block lasts."""
    settings = peer_settings(world)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "PEER_DATABASE_URL": settings.database_url,
        "PEER_PUBLIC_KEY": settings.public_key,
        "PEER_ISSUER": settings.issuer,
        "PEER_AUDIENCE": settings.audience,
    }
    command = [sys.executable, "-m", "uvicorn", "--factory", "bench.peers.service:from_environment"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--timeout-keep-alive", "300", "--log-level", "warning"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        _wait_for(port, process)
        yield Served(process, port)
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + _STARTS_WITHIN_S
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise WrongAnswerError("the peer does not start under uvicorn")
