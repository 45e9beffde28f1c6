"""The list of breached passwords: what leaves us, what is believed, and the line in the log when it is silent."""

import hashlib
import io
import json
from typing import Any
from uuid import uuid4

import pytest

from local.stack import Stack
from shared.identity.gateway.breaches import BreachedPasswords
from shared.identity.gateway.egress import Egress
from tenant_context.observability import Observability

PASSWORD = "the password of somebody"
DIGEST = hashlib.sha1(PASSWORD.encode(), usedforsecurity=False).hexdigest().upper()
LINE = "breached passwords were not checked"


class Answering:
    """The function on the other side, as its caller sees it."""

    def __init__(self, content: object, **more: Any) -> None:
        self.answer = {"Payload": io.BytesIO(json.dumps(content).encode()), **more}
        self.asked: list[dict[str, Any]] = []

    def invoke(self, **asked: Any) -> dict[str, Any]:
        self.asked.append(asked)
        return self.answer


def has(egress: Egress, password: str = PASSWORD) -> bool:
    return BreachedPasswords(egress, Observability(f"tests-{uuid4()}")).has(password, "request-1")


def asking(other: Answering) -> Egress:
    return Egress("other", seconds=1.0, connect=lambda _: other)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines() if line]


def test_five_digits_leave_us_and_nothing_else_of_the_password() -> None:
    other = Answering({"result": []})
    assert not has(asking(other))
    (asked,) = other.asked
    sent = json.loads(asked["Payload"])
    assert sent["data"] == {"prefix": DIGEST[:5]}
    assert PASSWORD not in str(asked)
    assert DIGEST[5:] not in str(asked).upper()


def test_a_password_is_breached_when_the_rest_of_its_digest_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert has(asking(Answering({"result": ["0" * 35, DIGEST[5:]]})))
    assert not has(asking(Answering({"result": ["0" * 35, DIGEST[:35]]})))
    assert lines(capsys) == [], "nothing to tell"


@pytest.mark.parametrize(
    "other",
    [
        Answering({"error": {"code": "list-unreachable", "detail": "The list answered 503."}}),
        Answering({"error": {"code": "something-else", "detail": "Nobody knows."}}),
        Answering({"errorMessage": "Task timed out"}, FunctionError="Unhandled"),
        Answering(["no answer of ours"]),
    ],
    ids=["silent", "another error", "died", "garbage"],
)
def test_a_list_that_fails_is_told_to_the_log_and_stops_nobody(
    capsys: pytest.CaptureFixture[str], other: Answering
) -> None:
    assert not has(asking(other))
    (line,) = lines(capsys)
    assert (line["level"], line["message"]) == ("WARNING", LINE)
    assert line["reason"]
    assert PASSWORD not in str(line)
    assert DIGEST[:5] not in str(line)


def test_a_function_that_is_not_there_is_told_to_the_log_and_stops_nobody(
    servers: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    assert servers.aws_endpoint_url
    assert not has(Egress(f"nothing-{uuid4().hex}", seconds=3.0))
    (line,) = lines(capsys)
    assert (line["level"], line["message"]) == ("WARNING", LINE)
