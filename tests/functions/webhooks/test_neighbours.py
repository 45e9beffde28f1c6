"""One delivery's trouble is its own: what AWS refuses of one, or a receiver does to one, is no other's."""

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from shared.webhooks.repository.paces import PaceRepository
from shared.webhooks.repository.targets import TargetRepository
from shared.webhooks.service import dispatch
from tenant_context.aws import AwsError
from tenant_context.context import TenantContext
from tenant_context.dynamo import Table, TenantTable
from tenant_context.dynamo_many import Update, Updated
from tenant_context.dynamo_values import Item
from tests.functions.webhooks.line import Context, Line, fan_out, launched, message
from tests.functions.webhooks.stores import Receiver, Slow
from tests.shared.outbound.server import Conversation, Server

Tenants = tuple[TenantContext, TenantContext]


class Cramped:
    """The table as it is, but for partitions that have no room and items that it refuses, as DynamoDB would say it."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self.hot: set[str] = set()
        """Messages whose partitions take no claim, or no end, by a word of the update."""
        self.word = ""
        self.longest_name = 2**16 - 1

    def __getattr__(self, name: str) -> Any:
        return getattr(self._table, name)

    def _refuses(self, text: str, values: Sequence[Any]) -> bool:
        return self.word in text and any(isinstance(one, str) and hot in one for one in values for hot in self.hot)

    def update_many(self, updates: Sequence[Update]) -> list[Updated]:
        """All but those without room."""
        room = [one for one in updates if not self._refuses(one.text, one.values)]
        made = iter(self._table.update_many(room))
        refused = Updated(False, error="{'Code': 'ThrottlingError'}")
        return [next(made) if one in room else refused for one in updates]

    def update(self, pk: str, sk: str, expression: str, *rest: Any, **more: Any) -> Any:
        """One alone."""
        if self._refuses(expression, [pk]):
            raise AwsError("ThrottlingException", "no room", 400)
        return self._table.update(pk, sk, expression, *rest, **more)

    def put_many(self, items: Sequence[Item]) -> None:
        """One item that is refused has all of them refused."""
        if any(len(name) > self.longest_name for item in items for name in item["answered"]):
            raise AwsError("ValidationException", "Attribute name is too large", 400)
        self._table.put_many(items)


@pytest.fixture
def cramped(line: Line, monkeypatch: pytest.MonkeyPatch) -> Cramped:
    """What attempts are written to."""
    attempts = line.module("webhooks_dispatcher").attempts
    made = Cramped(attempts._table)
    monkeypatch.setattr(attempts, "_table", made)
    return made


@pytest.fixture
def serve() -> Iterator[Any]:
    """Servers that talk as a test says; the answer is a URL."""
    servers: list[Server] = []

    def start(talk: Conversation) -> str:
        servers.append(Server(talk))
        return f"http://127.0.0.1:{servers[-1].port}/"

    yield start
    for server in servers:
        server.close()


def batch(line: Line) -> list[str]:
    """Give up to ten deliveries to the dispatcher; answers the tenants of those that went back."""
    records = line.resources.receive(line.resources.deliveries, seconds=5)
    answer = line.dispatcher({"Records": records}, Context())
    failed = {one["itemIdentifier"] for one in answer["batchItemFailures"]}
    for record in records:
        if record["messageId"] not in failed:
            line.resources.done(line.resources.deliveries, record)
    return [record["body"] for record in records if record["messageId"] in failed]


def states(line: Line, tenant: TenantContext, envelope: Any) -> list[str]:
    """Where a message's deliveries stand."""
    return [one["state"] for one in message(line, tenant, envelope)["deliveries"]]


@pytest.mark.parametrize("word", ["claimed_by = ", "updated_at"], ids=["claim", "end"])
def test_a_partition_without_room_fails_its_own_delivery_and_no_other(
    line: Line, receiver: Receiver, two_tenants: Tenants, cramped: Cramped, word: str
) -> None:
    acme, globex = two_tenants
    for tenant in two_tenants:
        line.endpoint(tenant, receiver.url, "campaign.launched")
    line.settle()
    hot, calm = launched(acme), launched(globex)
    fan_out(line, hot)
    fan_out(line, calm)
    cramped.hot, cramped.word = {str(hot["id"])}, word
    failed = batch(line)
    assert [str(hot["id"]) in body for body in failed] == [True]
    assert states(line, globex, calm) == ["delivered"]
    assert states(line, acme, hot) == ["waiting"]


def test_a_partition_without_room_leaves_the_rest_of_a_replay_in_its_order(
    line: Line, receiver: Receiver, two_tenants: Tenants, cramped: Cramped
) -> None:
    acme, _ = two_tenants
    receiver.answers_challenges = lambda _: (500, b"")
    made = line.endpoint(acme, receiver.url, "campaign.launched", proved=False)
    line.settle()
    missed = [launched(acme) for _ in range(3)]
    for envelope in missed:
        fan_out(line, envelope)
    line.settle()
    line.prove(acme, made["id"])
    dispatcher = line.module("webhooks_dispatcher")
    dispatcher.backlog.wake(acme, line.target(acme, made["id"]).id)
    cramped.hot, cramped.word = {str(missed[1]["id"])}, "claimed_by = "
    assert batch(line) == []
    assert [got[1]["webhook-id"] for got in receiver.received] == [str(missed[0]["id"])]
    cramped.hot = set()
    for _ in range(20):
        if len(receiver.received) == len(missed):
            break
        line.dispatch(seconds=7)
    assert [got[1]["webhook-id"] for got in receiver.received] == [str(one["id"]) for one in missed]


def test_a_mark_that_cannot_be_written_hangs_up_no_call(
    line: Line, two_tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "SLOW_SECONDS", 0.1)
    slow = Slow()
    for tenant in two_tenants:
        line.endpoint(tenant, slow.url, "campaign.launched")
    line.settle()
    sent = [(tenant, launched(tenant)) for tenant in two_tenants]
    for _, envelope in sent:
        fan_out(line, envelope)
    dispatcher = line.module("webhooks_dispatcher")
    without_room = Cramped(dispatcher.table)
    without_room.hot, without_room.word = {"endpoint#", "pace#"}, ""
    gate = dispatcher.gate
    monkeypatch.setattr(gate, "_paces", PaceRepository(without_room))  # type: ignore[arg-type]
    monkeypatch.setattr(gate, "_targets", TargetRepository(without_room))  # type: ignore[arg-type]
    threading.Timer(1, slow.go.set).start()
    assert batch(line) == []
    assert [states(line, tenant, envelope) for tenant, envelope in sent] == [["delivered"], ["delivered"]]
    assert len(slow.received) == len(sent)
    slow.close()


def test_an_endpoint_with_a_value_of_a_later_release_fails_no_other(
    line: Line, receiver: Receiver, two_tenants: Tenants
) -> None:
    acme, globex = two_tenants
    made = [line.endpoint(tenant, receiver.url, "campaign.launched") for tenant in two_tenants]
    line.settle()
    TenantTable(Table(line.resources.table), acme).update(
        f"endpoint#{made[0]['id']}", "target", "SET manner.ordering = :later", {":later": "of a later release"}
    )
    odd, calm = launched(acme), launched(globex)
    fan_out(line, odd)
    fan_out(line, calm)
    failed = batch(line)
    assert [str(odd["id"]) in body for body in failed] == [True]
    assert states(line, globex, calm) == ["delivered"]
    assert states(line, acme, odd) == ["waiting"], "it is not taken for one that was deleted"


def test_an_answer_that_the_log_cannot_hold_fails_no_other(
    line: Line, receiver: Receiver, two_tenants: Tenants, cramped: Cramped, serve: Any
) -> None:
    acme, globex = two_tenants
    line.endpoint(acme, serve(names(900)), "campaign.launched")
    line.endpoint(globex, receiver.url, "campaign.launched")
    line.settle()
    odd, calm = launched(acme), launched(globex)
    fan_out(line, odd)
    fan_out(line, calm)
    cramped.longest_name = 800
    failed = batch(line)
    assert [str(odd["id"]) in body for body in failed] == [True]
    assert states(line, globex, calm) == ["delivered"]


def test_a_headers_name_of_seventy_thousand_bytes_is_cut_in_the_log(
    line: Line, receiver: Receiver, two_tenants: Tenants, serve: Any
) -> None:
    acme, globex = two_tenants
    line.endpoint(acme, serve(names(70_000)), "campaign.launched")
    line.endpoint(globex, receiver.url, "campaign.launched")
    line.settle()
    odd, calm = launched(acme), launched(globex)
    fan_out(line, odd)
    fan_out(line, calm)
    assert batch(line) == []
    assert states(line, globex, calm) == ["delivered"]
    answered = message(line, acme, odd)["attempts"][0]["response_headers"]
    assert all(len(name) <= 1000 for name in answered)


def names(length: int) -> Conversation:
    """A server whose answer has a header with so long a name."""
    answer = b"HTTP/1.1 200 OK\r\n" + b"a" * length + b": x\r\nContent-Length: 2\r\n\r\nok"
    return lambda accepted: accepted.sendall(answer)
