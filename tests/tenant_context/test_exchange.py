"""Answers as AWS's endpoints may frame them, over real connections, and those that break off."""

import json
import socket
from collections.abc import Callable, Iterator

import pytest

from tenant_context.aws import AwsClient, AwsError, Credentials
from tests.shared.outbound.server import Server

KEYS = Credentials({"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key"})
Serve = Callable[[bytes], Server]


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers: list[Server] = []

    def start(answer: bytes) -> Server:
        def talk(accepted: socket.socket) -> None:
            accepted.sendall(answer)

        servers.append(Server(talk))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def client(server: Server) -> AwsClient:
    return AwsClient(
        "dynamodb", credentials=KEYS, endpoint=f"http://127.0.0.1:{server.port}", sleep=lambda _: None, timeout=2
    )


GOOD = {
    "a length": b'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{"a":1}',
    "chunks": b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\n{"a\r\n4\r\n":1}\r\n0\r\nX: 1\r\n\r\n',
    "its end": b'HTTP/1.0 200 OK\r\n\r\n{"a":1}',
    "a farewell": b'HTTP/1.1 200 OK\r\nConnection: close\r\ncontent-length: 7\r\n\r\n{"a":1}',
    "an interim answer": b'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{"a":1}',
}


@pytest.mark.parametrize("answer", GOOD.values(), ids=GOOD.keys())
def test_an_answer_is_read_however_its_end_is_told(serve: Serve, answer: bytes) -> None:
    server = serve(answer)
    asked = client(server)
    assert asked.call("GetItem", {"TableName": "ü"}) == {"a": 1}
    assert asked.call("GetItem", {}) == {"a": 1}  # over another connection: this server holds one conversation each
    head, _, body = server.heard[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST / HTTP/1.1\r\n")
    assert json.loads(body) == {"TableName": "ü"}
    asked.close()


BROKEN = {
    "nothing": b"",
    "half a status": b"HTTP/1.1 20",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "half a body": b"HTTP/1.1 200 OK\r\nContent-Length: 70\r\n\r\n{",
    "half a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{",
    "a length that is none": b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n{}",
    "a chunk that is none": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "a frame that nobody knows": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n{}",
    "another protocol": b"220 mail.example.com ESMTP\r\n",
    "a status that is none": b"HTTP/1.1 abc\r\n\r\n",
}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN.keys())
def test_an_answer_that_breaks_off_is_no_answer(serve: Serve, answer: bytes) -> None:
    server = serve(answer)
    with pytest.raises(AwsError, match="does not answer"):
        client(server).call("GetItem", {})
    assert len(server.heard) == 4
