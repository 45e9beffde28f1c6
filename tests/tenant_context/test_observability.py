"""What an invocation says of itself: its lines in the log, and its trace, also when it fails."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from infra.settings import ROOT
from tenant_context.context import TenantContext
from tenant_context.observability import Observability
from tests.conftest import owner_of

LINE = {"level", "timestamp", "requestId", "operation"}
CALLER = {"tenantId", "userId"}
OUTCOME = {"duration", "success"}


@pytest.fixture
def ada() -> TenantContext:
    return owner_of(uuid4(), uuid4())


def logged(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, Any]]:
    """The lines of the log by their phrase; metrics have none."""
    lines = map(json.loads, filter(None, capsys.readouterr().out.splitlines()))
    return {line["message"]: line for line in lines if "message" in line}


def test_an_invocation_ends_with_one_line_that_tells_all_eight(
    capsys: pytest.CaptureFixture[str], ada: TenantContext
) -> None:
    with Observability(f"tests-{uuid4()}").invocation("request-1", "campaigns.launch") as invocation:
        invocation.caller(ada)
    line = logged(capsys)["done"]
    assert line.keys() >= LINE | CALLER | OUTCOME
    assert (line["level"], line["requestId"], line["operation"]) == ("INFO", "request-1", "campaigns.launch")
    assert (line["tenantId"], line["userId"], line["success"]) == (str(ada.tenant), str(ada.user), True)
    assert line["duration"] >= 0
    assert line["timestamp"].endswith(("Z", "+00:00"))


def test_every_line_names_its_operation_and_its_caller_once_they_are_known(
    capsys: pytest.CaptureFixture[str], ada: TenantContext
) -> None:
    observability = Observability(f"tests-{uuid4()}")
    with observability.invocation("request-1", "unrouted") as invocation:
        observability.info("early")
        invocation.operation = "campaigns.launch"
        invocation.caller(ada)
        observability.warning("later")
        try:
            int("none")
        except ValueError:
            observability.exception("failed")
    lines = logged(capsys)
    assert [lines[phrase]["operation"] for phrase in ("early", "later", "failed")] == [
        "unrouted", "campaigns.launch", "campaigns.launch",
    ]  # fmt: skip
    assert lines["early"].keys() >= LINE
    assert CALLER.isdisjoint(lines["early"])
    for phrase in ("later", "failed"):
        assert lines[phrase].keys() >= LINE | CALLER


def test_an_invocation_remembers_nothing_of_the_one_before(
    capsys: pytest.CaptureFixture[str], ada: TenantContext
) -> None:
    observability = Observability(f"tests-{uuid4()}")
    with observability.invocation("request-1", "campaigns.launch") as invocation:
        invocation.caller(ada)
    capsys.readouterr()
    with observability.invocation("request-2", "unrouted"):
        pass
    line = logged(capsys)["done"]
    assert CALLER.isdisjoint(line)
    assert (line["requestId"], line["operation"]) == ("request-2", "unrouted")


def test_an_invocation_that_raises_did_not_succeed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="bad"), Observability(f"tests-{uuid4()}").invocation("request-1", "work"):
        raise ValueError("bad")
    assert logged(capsys)["done"]["success"] is False


_TRACED = """
from types import SimpleNamespace
from uuid import UUID
from tenant_context.entry.queue import Message, QueueEntry
from tenant_context.entry.schedule import ScheduleEntry
from tenant_context.observability import Observability

observability = Observability("traced", tracing=True)
context = SimpleNamespace(aws_request_id="run-1")

def fail(*_arguments):
    raise ValueError("bad")

ScheduleEntry(lambda *_arguments: 3, name="well", observability=observability)({}, context)
try:
    ScheduleEntry(fail, name="badly", observability=observability)({}, context)
except ValueError:
    pass
body = Message(UUID(int=7), "request-1", "counts", {}).encode().decode()
QueueEntry(fail, observability=observability)({"Records": [{"messageId": "m1", "body": body}]}, context)
"""


@pytest.fixture
def daemon() -> Iterator[socket.socket]:
    """Stands where X-Ray's daemon listens beside a function."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(10)
        yield listening


def lambda_environment(daemon: socket.socket) -> dict[str, str]:
    """What Lambda adds where traces are on, for one sampled call."""
    host, port = daemon.getsockname()
    return {
        "LAMBDA_TASK_ROOT": "/var/task",
        "AWS_XRAY_DAEMON_ADDRESS": f"{host}:{port}",
        "_X_AMZN_TRACE_ID": "Root=1-65e31d00-abcdef012345678912345678;Parent=463ac35c9f6413ad;Sampled=1",
    }


def test_an_invocation_that_is_not_sampled_does_not_load_what_traces_are_written_with(daemon: socket.socket) -> None:
    place = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(ROOT, "layers/tenant_context/python"))}
    environment = place | lambda_environment(daemon)
    environment["_X_AMZN_TRACE_ID"] = environment["_X_AMZN_TRACE_ID"].replace("Sampled=1", "Sampled=0")
    asked = f"{_TRACED}\nimport sys\nsys.exit('aws_xray_sdk' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", asked], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_a_trace_tells_what_was_done_for_whom_and_whether_it_succeeded(daemon: socket.socket) -> None:
    place = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(ROOT, "layers/tenant_context/python"))}
    done = subprocess.run(
        [sys.executable, "-c", _TRACED], env=place | lambda_environment(daemon), capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    segments = [json.loads(daemon.recv(65_536).split(b"\n", 1)[1]) for _ in range(3)]
    assert [segment["annotations"] for segment in segments] == [
        {"operation": "well", "tenant": "", "success": True},
        {"operation": "badly", "tenant": "", "success": False},
        {"operation": "counts", "tenant": "00000000-0000-0000-0000-000000000007", "success": False},
    ]
    assert [segment.get("fault", False) for segment in segments] == [False, True, False]
    assert {segment["trace_id"] for segment in segments} == {"1-65e31d00-abcdef012345678912345678"}
