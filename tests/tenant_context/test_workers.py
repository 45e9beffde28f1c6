"""The doors of queues and schedules, and the way into a queue."""

import json
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from tenant_context.aws import AwsClient, AwsError
from tenant_context.context import Source, TenantContext
from tenant_context.entry.queue import Message, QueueEntry, read_bus_event, read_message
from tenant_context.entry.schedule import ScheduleEntry
from tenant_context.errors import Unavailable
from tenant_context.observability import Observability
from tenant_context.queues import Queue
from tenant_context.states import Need

ACME, GLOBEX = uuid4(), uuid4()


def observed() -> Observability:
    """A voice of its own: Powertools keeps one logger for each name, bound to the output it began with."""
    return Observability(f"tests-{uuid4()}")


@pytest.fixture
def observability() -> Observability:
    return observed()


def message(tenant: UUID = ACME, **data: Any) -> Message:
    return Message(tenant, "request-1", "counts", data)


def batch(*bodies: str | Message) -> dict[str, Any]:
    return {
        "Records": [
            {"messageId": f"m{number}", "body": body if isinstance(body, str) else body.encode().decode()}
            for number, body in enumerate(bodies)
        ]
    }


def failed(*ids: str) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": one} for one in ids]}


def logged(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    lines = capsys.readouterr().out.splitlines()
    return [line for line in map(json.loads, filter(None, lines)) if "message" in line]


def test_each_record_is_worked_on_as_its_own_tenant(observability: Observability) -> None:
    seen: list[TenantContext] = []
    entry = QueueEntry(lambda tenant, _message: seen.append(tenant), observability=observability)
    assert entry(batch(message(ACME), message(GLOBEX)), None) == failed()
    assert [(one.tenant, one.source, one.permissions) for one in seen] == [
        (ACME, Source.MESSAGE, frozenset()), (GLOBEX, Source.MESSAGE, frozenset()),
    ]  # fmt: skip


def test_a_record_that_fails_goes_back_alone(observability: Observability) -> None:
    def work(_tenant: TenantContext, one: Message) -> None:
        if one.data.get("bad"):
            raise ValueError("bad")

    entry = QueueEntry(work, observability=observability)
    assert entry(batch(message(), message(bad=True), message()), None) == failed("m1")


@pytest.mark.parametrize(
    "body", ["", "{", "[]", "null", "{}", '{"tenant": "x", "id": "a", "kind": "b", "data": {}}', "\x00",
             '{"tenant": "01a1fc31-f439-7fa9-8bde-3fab89441df3", "id": "a", "kind": "b"}', "[" * 100_000]
)  # fmt: skip
def test_a_record_that_cannot_be_read_goes_back_alone(observability: Observability, body: str) -> None:
    done: list[Message] = []
    entry = QueueEntry(lambda _tenant, one: done.append(one), observability=observability)
    assert entry(batch(message(), body, message()), None) == failed("m1")
    assert len(done) == 2


def test_a_database_that_was_gone_for_a_moment_is_asked_once_more(observability: Observability) -> None:
    calls: list[int] = []

    def work(_tenant: TenantContext, _message: Message) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise Unavailable("deadlock")

    assert QueueEntry(work, observability=observability)(batch(message()), None) == failed()
    assert len(calls) == 2


def test_a_database_that_stays_gone_leaves_the_record_to_the_queue(observability: Observability) -> None:
    def work(_tenant: TenantContext, _message: Message) -> None:
        raise Unavailable("gone")

    assert QueueEntry(work, observability=observability)(batch(message()), None) == failed("m0")


def test_a_batch_is_shown_ahead_and_what_fails_there_fails_in_its_turn(observability: Observability) -> None:
    order: list[str] = []
    entry = QueueEntry(
        lambda _tenant, one: order.append(f"work {one.data['n']}"),
        ahead=lambda _tenant, one: order.append(f"ahead {one.data['n']}"),
        observability=observability,
    )
    assert entry(batch(message(n=1), "{", message(n=2)), None) == failed("m1")
    assert order == ["ahead 1", "ahead 2", "work 1", "work 2"]


def test_without_a_database_a_tenants_state_is_asked_for_before_anything_is_begun(observability: Observability) -> None:
    order: list[str] = []
    states = {ACME: "closed", GLOBEX: "suspended"}
    entry = QueueEntry(
        lambda _tenant, one: order.append(f"work {one.data['n']}"),
        ahead=lambda _tenant, one: order.append(f"ahead {one.data['n']}"),
        observability=observability,
        need=Need.PROCESS,
        state_of=lambda tenant: states[tenant],
    )
    assert entry(batch(message(ACME, n=1), message(GLOBEX, n=2)), None) == failed()
    assert order == ["ahead 2", "work 2"]


def test_a_state_that_cannot_be_learned_leaves_the_record_to_the_queue(observability: Observability) -> None:
    def unknown(_tenant: UUID) -> str:
        raise Unavailable("no answer")

    done: list[Message] = []
    entry = QueueEntry(
        lambda _tenant, one: done.append(one), observability=observability, need=Need.PROCESS, state_of=unknown
    )
    assert entry(batch(message()), None) == failed("m0")
    assert done == []


def test_a_record_is_one_line_with_its_tenant_and_its_outcome(capsys: pytest.CaptureFixture[str]) -> None:
    entry = QueueEntry(lambda _tenant, _message: None, observability=observed())
    entry(batch(message(ACME), "{"), None)
    done = [line for line in logged(capsys) if line["message"] == "done"]
    assert [(line.get("tenantId"), line["operation"], line["success"]) for line in done] == [
        (str(ACME), "counts", True), (None, "queue", False),
    ]  # fmt: skip


def test_a_message_is_read_as_it_was_written() -> None:
    sent = message(rows=[1, "ä"])
    assert read_message(sent.encode().decode()) == sent


def test_an_event_of_the_bus_is_read_by_its_envelope() -> None:
    event_id = str(uuid4())
    detail = {"tenant": str(ACME), "id": event_id, "type": "campaign.launched", "data": {}}
    read = read_bus_event(json.dumps({"detail-type": "campaign.launched", "detail": detail}))
    assert (read.tenant, read.id, read.kind, read.data) == (ACME, event_id, "campaign.launched", detail)


def test_a_schedule_says_what_it_started(observability: Observability) -> None:
    asked: list[tuple[str, Any]] = []

    def job(run: str, schedule: Any) -> int:
        asked.append((run, schedule))
        return 3

    entry = ScheduleEntry(job, name="refreshes", observability=observability)
    assert entry({"slot": "now"}, SimpleNamespace(aws_request_id="run-1")) == {"started": 3}
    assert asked == [("run-1", {"slot": "now"})]


def test_a_schedule_that_fails_is_raised_so_that_it_is_tried_again(capsys: pytest.CaptureFixture[str]) -> None:
    def job(_run: str, _schedule: Any) -> int:
        raise Unavailable("gone")

    with pytest.raises(Unavailable):
        ScheduleEntry(job, name="refreshes", observability=observed())({}, SimpleNamespace(aws_request_id="run-1"))
    (line,) = [line for line in logged(capsys) if line["message"] == "done"]
    assert (line["operation"], line["success"]) == ("refreshes", False)


class Sqs(AwsClient):
    """Takes batches, as far as SQS would."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self.answers = list(answers)
        self.batches: list[list[dict[str, Any]]] = []

    def call(self, operation: str, payload: Any) -> dict[str, Any]:
        assert (operation, payload["QueueUrl"]) == ("SendMessageBatch", "url")
        entries = payload["Entries"]
        assert len(entries) <= 10
        assert sum(len(entry["MessageBody"].encode()) for entry in entries) <= 1_048_576
        assert len({entry["Id"] for entry in entries}) == len(entries)
        self.batches.append(entries)
        return self.answers.pop(0) if self.answers else {}


def test_messages_are_sent_ten_at_a_time_in_their_tenants_group() -> None:
    sqs = Sqs()
    Queue("url", sqs).send([message(n=number) for number in range(23)], delay_seconds=7)
    assert [len(entries) for entries in sqs.batches] == [10, 10, 3]
    sent = [entry for entries in sqs.batches for entry in entries]
    assert {(entry["MessageGroupId"], entry["DelaySeconds"]) for entry in sent} == {(str(ACME), 7)}
    assert [msgspec.json.decode(entry["MessageBody"])["data"]["n"] for entry in sent] == list(range(23))


@pytest.mark.parametrize("letter", ["x", "ä", "界", "😀"])
def test_a_batch_stays_below_what_sqs_takes_whatever_its_letters(letter: str) -> None:
    """SQS counts bytes."""
    sqs = Sqs()
    Queue("url", sqs).send([message(text=letter * 100_000) for _ in range(10)])
    assert sum(map(len, sqs.batches)) == 10


def test_nothing_to_send_is_no_call() -> None:
    sqs = Sqs()
    Queue("url", sqs).send([])
    assert sqs.batches == []


def test_a_message_that_sqs_did_not_take_is_an_error() -> None:
    sqs = Sqs({"Failed": [{"Id": "0", "Code": "InternalError", "Message": "no"}]})
    with pytest.raises(AwsError, match="InternalError"):
        Queue("url", sqs).send([message()])
