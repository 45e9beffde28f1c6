"""The door of functions that work on the messages of a batch together."""

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest

from tenant_context.context import TenantContext
from tenant_context.entry.queue import BatchEntry, Message, Record
from tenant_context.errors import Unavailable
from tenant_context.observability import Observability
from tenant_context.states import Need

ACME, GLOBEX = uuid4(), uuid4()
APART = frozenset({"apart"})


def message(n: int, tenant: UUID = ACME, kind: str = "joint") -> Message:
    return Message(tenant, f"request-{n}", kind, {"n": n})


def batch(*bodies: str | Message) -> dict[str, Any]:
    return {
        "Records": [
            {"messageId": f"m{number}", "body": body if isinstance(body, str) else body.encode().decode()}
            for number, body in enumerate(bodies)
        ]
    }


def failed(*ids: str) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": one} for one in ids]}


class Worker:
    """Does all together, and fails what is asked of it."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.alone: list[int] = []
        self.ahead: list[int] = []

    def together(self, records: Sequence[Record]) -> None:
        self.batches.append([record.message.data["n"] for record in records])
        for record in records:
            if record.message.data["n"] == 13:
                record.failed(ValueError("thirteen"))
            elif record.message.data["n"] != 14:
                record.done("did it", n=record.message.data["n"])

    def work(self, _tenant: TenantContext, one: Message) -> None:
        self.alone.append(one.data["n"])

    def look(self, _tenant: TenantContext, one: Message) -> None:
        assert self.batches == []
        self.ahead.append(one.data["n"])


def entry(worker: Worker, **more: Any) -> BatchEntry:
    seen = Observability(f"tests-{uuid4()}")
    return BatchEntry(
        worker.together,
        worker.work,
        jointly="tests.jointly",
        apart=APART,
        ahead=worker.look,
        observability=seen,
        **more,
    )


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    told = map(json.loads, filter(None, capsys.readouterr().out.splitlines()))
    return [line for line in told if "message" in line]


def test_messages_are_worked_on_together_but_for_those_of_kinds_apart() -> None:
    worker = Worker()
    assert entry(worker)(batch(message(1), message(2, kind="apart"), message(3, GLOBEX)), None) == failed()
    assert (worker.batches, worker.ahead, worker.alone) == ([[1, 3]], [2], [2])


def test_what_fails_what_is_forgotten_and_what_cannot_be_read_goes_back_alone() -> None:
    worker = Worker()
    assert entry(worker)(batch(message(1), "{", message(13), message(14), message(2)), None) == failed("m1", "m2", "m3")
    assert worker.batches == [[1, 13, 14, 2]]


def test_work_that_breaks_off_leaves_what_was_done_and_returns_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker()

    def breaks_off(records: Sequence[Record]) -> None:
        records[0].done("did it")
        raise RuntimeError("half way")

    monkeypatch.setattr(worker, "together", breaks_off)
    assert entry(worker)(batch(message(1), message(2)), None) == failed("m1")


def test_each_record_is_one_line_with_its_request_its_tenant_and_its_outcome(
    capsys: pytest.CaptureFixture[str],
) -> None:
    entry(Worker())(batch(message(1), message(13, GLOBEX)), None)
    told = [line for line in lines(capsys) if line["requestId"].startswith("m") and line["message"] != "done"]
    mine = [line for line in told if "success" in line]
    assert [(line["requestId"], line["tenantId"], line["message"], line["success"]) for line in mine] == [
        ("m0", str(ACME), "did it", True),
        ("m1", str(GLOBEX), "record failed", False),
    ]
    assert all(line.keys() >= {"level", "timestamp", "operation", "userId", "duration"} for line in mine)
    [error] = [line for line in told if line["level"] == "ERROR"]
    assert (error["record"], error["tenantId"], "thirteen" in error["exception"]) == ("m1", str(GLOBEX), True)


def test_the_batch_ends_with_one_line_and_counts_what_failed(capsys: pytest.CaptureFixture[str]) -> None:
    entry(Worker())(batch(message(13), message(14), message(1)), None)
    told = list(map(json.loads, filter(None, capsys.readouterr().out.splitlines())))
    [done] = [line for line in told if line.get("message") == "done"]
    assert (done["records"], done["success"], done["operation"]) == (3, False, "tests.jointly")
    [metrics] = [line for line in told if "_aws" in line]
    assert metrics["Failures"] == [2.0]


def test_a_tenants_state_is_asked_for_before_anything_is_begun(capsys: pytest.CaptureFixture[str]) -> None:
    unknown = uuid4()

    def state_of(tenant: UUID) -> str:
        if tenant == unknown:
            raise Unavailable("no answer")
        return {ACME: "closed", GLOBEX: "suspended"}[tenant]

    worker = Worker()
    answer = entry(worker, need=Need.PROCESS, state_of=state_of)(
        batch(message(1), message(2, GLOBEX), message(3, unknown)), None
    )
    assert (answer, worker.batches) == (failed("m2"), [[2]])
    assert [line["requestId"] for line in lines(capsys) if line["message"] == "let go"] == ["m0"]
