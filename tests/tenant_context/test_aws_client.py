"""Calls to AWS against a real HTTP server that throttles, fails, hangs up and answers nonsense."""

import json
from collections import deque
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from tenant_context.aws import AwsClient, AwsError, Credentials

HANG_UP = (0, b"")
KEYS = Credentials({"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key", "AWS_SESSION_TOKEN": "token"})


class Service(ThreadingHTTPServer):
    """Answers as it was told to, in turn, and remembers what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: deque[tuple[int, bytes]] = deque()
        self.asked: list[dict[str, Any]] = []
        self.connections = 0

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections += 1
        super().process_request(request, client_address)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Service

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.asked.append({"path": self.path, "body": json.loads(body), **headers})
        status, answer = self.server.answers.popleft() if self.server.answers else (200, b"{}")
        if (status, answer) == HANG_UP:
            self.close_connection = True
            self.connection.close()
            return
        self.send_response(status)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def finish(self) -> None:
        if not self.close_connection or not self.wfile.closed:
            try:
                super().finish()
            except (OSError, ValueError):
                self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def service() -> Iterator[Service]:
    server = Service()
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def client(service: Service, pauses: list[float]) -> Iterator[AwsClient]:
    made = AwsClient(
        "dynamodb",
        credentials=KEYS,
        endpoint=f"http://127.0.0.1:{service.server_port}",
        sleep=pauses.append,
        timeout=2,
    )
    yield made
    made.close()


def error(code: str) -> bytes:
    return json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "because"}).encode()


def test_an_operation_is_sent_as_the_service_wants_it(service: Service, client: AwsClient) -> None:
    service.answers.append((200, b'{"Item": {}}'))
    assert client.call("GetItem", {"TableName": "ä"}) == {"Item": {}}
    (asked,) = service.asked
    assert asked["path"] == "/"
    assert asked["body"] == {"TableName": "ä"}
    assert asked["x-amz-target"] == "DynamoDB_20120810.GetItem"
    assert asked["content-type"] == "application/x-amz-json-1.0"
    assert asked["host"] == f"127.0.0.1:{service.server_port}"
    assert asked["x-amz-security-token"] == "token"
    assert asked["authorization"].startswith("AWS4-HMAC-SHA256 Credential=id/")


def test_one_connection_serves_many_calls(service: Service, client: AwsClient) -> None:
    for _ in range(5):
        client.call("GetItem", {})
    assert service.connections == 1


def test_an_empty_answer_is_an_empty_object(service: Service, client: AwsClient) -> None:
    service.answers.append((200, b""))
    assert client.call("DeleteItem", {}) == {}


@pytest.mark.parametrize(
    "trouble",
    [
        (500, error("InternalServerError")),
        (503, b"busy"),
        (429, b""),
        (502, b"<html>bad gateway</html>"),
        (504, b"[]"),
        (400, error("ThrottlingException")),
        (400, error("ProvisionedThroughputExceededException")),
        HANG_UP,
    ],
    ids=["fault", "busy", "too many", "gateway", "odd json", "throttled", "throughput", "hung up"],
)
def test_trouble_that_passes_is_not_noticed(
    service: Service, client: AwsClient, pauses: list[float], trouble: tuple[int, bytes]
) -> None:
    service.answers.extend([trouble, trouble, (200, b'{"done": true}')])
    assert client.call("PutItem", {}) == {"done": True}
    assert len(service.asked) == 3
    assert len(pauses) == 2
    assert all(0 <= pause <= 0.05 * 2**attempt for attempt, pause in enumerate(pauses, start=1))


def test_trouble_that_stays_is_an_error_after_four_attempts(
    service: Service, client: AwsClient, pauses: list[float]
) -> None:
    service.answers.extend([(500, error("InternalServerError"))] * 10)
    with pytest.raises(AwsError) as caught:
        client.call("PutItem", {})
    assert (caught.value.code, caught.value.status) == ("InternalServerError", 500)
    assert (len(service.asked), len(pauses)) == (4, 3)


def test_a_service_that_hangs_up_each_time_does_not_answer(service: Service, client: AwsClient) -> None:
    service.answers.extend([HANG_UP] * 10)
    with pytest.raises(AwsError) as caught:
        client.call("PutItem", {})
    assert (caught.value.code, caught.value.status) == ("ConnectionError", 0)
    assert len(service.asked) == 4


def test_nobody_there_is_an_error_and_not_an_exception_of_sockets(pauses: list[float]) -> None:
    with pytest.raises(AwsError, match="does not answer"):
        AwsClient("sqs", credentials=KEYS, endpoint="http://127.0.0.1:1", sleep=pauses.append).call("SendMessage", {})


@pytest.mark.parametrize(
    ("status", "answer", "code"),
    [
        (400, error("ConditionalCheckFailedException"), "ConditionalCheckFailedException"),
        (400, error("AccessDeniedException"), "AccessDeniedException"),
        (400, b'{"code": "QueueDoesNotExist", "Message": "no"}', "QueueDoesNotExist"),
        (403, b"forbidden", "403"),
        (404, b"null", "404"),
        (400, b"[1]", "400"),
        (400, b"", "400"),
    ],
)
def test_a_refusal_is_not_tried_again(
    service: Service, client: AwsClient, status: int, answer: bytes, code: str
) -> None:
    service.answers.append((status, answer))
    with pytest.raises(AwsError) as caught:
        client.call("PutItem", {})
    assert (caught.value.code, caught.value.status) == (code, status)
    assert len(service.asked) == 1


def test_each_attempt_is_signed_anew(service: Service, client: AwsClient) -> None:
    service.answers.extend([(500, b""), (200, b"{}")])
    client.call("PutItem", {})
    assert all("authorization" in asked for asked in service.asked)


def test_after_an_error_the_connection_is_still_good(service: Service, client: AwsClient) -> None:
    service.answers.extend([(400, error("ValidationException")), (200, b'{"ok": 1}')])
    with pytest.raises(AwsError):
        client.call("PutItem", {})
    assert client.call("PutItem", {}) == {"ok": 1}
    assert service.connections == 1


@pytest.mark.parametrize(
    ("variables", "address"),
    [
        ({}, ("sqs.us-east-1.amazonaws.com", 443, True)),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}, ("127.0.0.1", 4566, False)),
        ({"AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_SQS": "https://b:8443"}, ("b", 8443, True)),
    ],
)
def test_the_environment_says_where_a_service_is(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], address: tuple[str, int, bool]
) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SQS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    client = AwsClient("sqs", credentials=KEYS)
    assert (client._host, client._port, client._tls) == address
