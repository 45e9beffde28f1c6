"""One effect for each Idempotency-Key, on a real PostgreSQL, however often and however closely it is sent."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest

from tenant_context.clock import utc_now
from tenant_context.context import TenantContext
from tenant_context.entry.writes import TransactionalWriter
from tenant_context.errors import BadRequest, Conflict, Invalid, NotFound, RmapError, Unavailable
from tenant_context.events import Event
from tenant_context.idempotency import Attempt
from tenant_context.postgres import Database, Transaction
from tenant_context.routing import Answer, Call, Route, Routes
from tests.conftest import Clone

INSERT = """INSERT INTO job_runs (tenant_id, id, job, status, created_at) VALUES (%s, %s, %s, 'queued', %s)"""
PATH = "/things"
routes = Routes()


@routes.write("POST", PATH, permission="things.write", status=201)
def create(call: Call[None], tx: Transaction, service: list[str]) -> Answer:
    """Write a row and tell of it; `service` is what goes wrong."""
    made = uuid4()
    tx.run(INSERT, (tx.tenant.tenant, made, call.raw.decode() or "thing", tx.now))
    tx.emit(Event("thing.made", f"thing/{made}", {}))
    if service:
        tx.one("SELECT 1")
        raise {"missing": NotFound, "conflict": Conflict, "unavailable": Unavailable, "bug": ValueError}[service[0]]
    return Answer({"id": str(made)}, headers={"location": f"{PATH}/{made}"})


@routes.write("POST", "/secrets", permission="things.write", status=201)
def reveal(_call: Call[None], tx: Transaction, _service: list[str]) -> Answer:
    """Show a secret once."""
    tx.one("SELECT 1")
    return Answer({"secret": "shown"}, kept={"secret": ""})


@pytest.fixture
def acme(two_tenants: tuple[TenantContext, TenantContext]) -> TenantContext:
    return two_tenants[0]


@pytest.fixture
def globex(two_tenants: tuple[TenantContext, TenantContext]) -> TenantContext:
    return two_tenants[1]


def send(
    database: Database,
    tenant: TenantContext,
    key: str | None,
    *,
    body: bytes = b"",
    trouble: str = "",
    path: str = PATH,
    **headers: str,
) -> Answer:
    """One write through the kernel's own door."""
    route: Route = routes.find("POST", path)[0]
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if key is not None:
        named["idempotency-key"] = key
    call: Call[Any] = Call(tenant, {}, None, None, named, body, "192.0.2.1", "r")
    return TransactionalWriter(database).write(route, call, [trouble] if trouble else [], "POST", path)


def count(database: Database, tenant: TenantContext) -> tuple[int, int, int, int]:
    """Rows, events, audit entries and remembered answers."""
    (row,) = database.read(
        tenant,
        """SELECT (SELECT count(*) FROM job_runs), (SELECT count(*) FROM outbox), (SELECT count(*) FROM audit_log),
                  (SELECT count(*) FROM idempotency_keys)""",
    )
    return row[0], row[1], row[2], row[3]


def test_the_same_key_and_body_answer_as_the_first_did(database: Database, acme: TenantContext) -> None:
    first = send(database, acme, "key", body=b"one")
    again = send(database, acme, "key", body=b"one")
    assert (again.status, again.headers["location"]) == (201, first.headers["location"])
    assert bytes(again.content).decode() == '{"id":"%s"}' % first.content["id"]  # noqa: UP031
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert count(database, acme) == (1, 1, 1, 1)


@pytest.mark.parametrize("other", [{"body": b"two"}, {"body": b"one "}, {"body": b"one", "if_match": '"1"'},
                                   {"body": b"one", "path": "/secrets"}])  # fmt: skip
def test_the_same_key_for_another_request_is_422(
    database: Database, acme: TenantContext, other: dict[str, Any]
) -> None:
    send(database, acme, "key", body=b"one")
    with pytest.raises(Invalid) as caught:
        send(database, acme, "key", **other)
    assert caught.value.errors[0].code == "idempotency-key-reused"
    assert count(database, acme) == (1, 1, 1, 1)


def test_a_key_that_was_reserved_is_for_one_request(
    database: Database, acme: TenantContext, globex: TenantContext
) -> None:
    """As of a change at Stripe, which remembers no answer here."""
    one, two = (Attempt.of("key", "POST", PATH, body, "") for body in (b"one", b"two"))
    for _ in range(2):
        one.reserve(database, acme)
    with pytest.raises(Invalid) as caught:
        two.reserve(database, acme)
    assert caught.value.errors[0].code == "idempotency-key-reused"
    with pytest.raises(Invalid):
        send(database, acme, "key", body=b"two")
    two.reserve(database, globex)


def test_of_many_requests_with_one_key_one_gets_it(clone: Clone, acme: TenantContext) -> None:
    hands = 8
    barrier = Barrier(hands)

    def reserve(hand: int) -> bool:
        opened = Database(clone.settings(), clock=utc_now)
        try:
            barrier.wait()
            Attempt.of("key", "POST", PATH, str(hand).encode(), "").reserve(opened, acme)
        except Invalid:
            return False
        finally:
            opened.close()
        return True

    with ThreadPoolExecutor(hands) as pool:
        assert sum(pool.map(reserve, range(hands))) == 1


def test_without_a_key_every_write_is_its_own(database: Database, acme: TenantContext) -> None:
    send(database, acme, None)
    send(database, acme, None)
    assert count(database, acme) == (2, 2, 2, 0)


def test_keys_of_two_tenants_are_strangers(database: Database, acme: TenantContext, globex: TenantContext) -> None:
    first, other = send(database, acme, "key", body=b"a"), send(database, globex, "key", body=b"b")
    assert first.content["id"] != other.content["id"]
    assert count(database, acme) == count(database, globex) == (1, 1, 1, 1)


@pytest.mark.parametrize(
    ("trouble", "error"),
    [("missing", NotFound), ("conflict", Conflict), ("unavailable", Unavailable), ("bug", ValueError)],
)
def test_a_write_that_fails_leaves_nothing_and_its_key_free(
    database: Database, acme: TenantContext, trouble: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        send(database, acme, "key", trouble=trouble)
    assert count(database, acme) == (0, 0, 0, 0)
    assert send(database, acme, "key").status == 201


def test_a_failure_after_the_first_success_still_answers_the_success(database: Database, acme: TenantContext) -> None:
    """A create sent twice finds its own thing in the way: that conflict is no news."""
    first = send(database, acme, "key")
    again = send(database, acme, "key", trouble="conflict")
    assert again.headers["location"] == first.headers["location"]


def test_a_secret_is_not_remembered(database: Database, acme: TenantContext) -> None:
    assert send(database, acme, "key", path="/secrets").content == {"secret": "shown"}
    again = send(database, acme, "key", path="/secrets")
    assert bytes(again.content) == b'{"secret":""}'


def test_fifty_at_once_are_one(clone: Clone, database: Database, acme: TenantContext) -> None:
    together = Barrier(50)

    def attempt(_: int) -> str:
        own = Database(clone.settings(), clock=utc_now)
        own.read(acme, "SELECT 1")
        together.wait(timeout=60)
        try:
            answer = send(own, acme, "key", body=b"one")
        finally:
            own.close()
        return answer.headers["location"]

    with ThreadPoolExecutor(max_workers=50) as threads:
        locations = set(threads.map(attempt, range(50)))
    assert len(locations) == 1
    assert count(database, acme) == (1, 1, 1, 1)


def test_fifty_at_once_with_two_bodies_are_one_and_refusals(
    clone: Clone, database: Database, acme: TenantContext
) -> None:
    together = Barrier(20)

    def attempt(number: int) -> str:
        own = Database(clone.settings(), clock=utc_now)
        own.read(acme, "SELECT 1")
        together.wait(timeout=60)
        try:
            return send(own, acme, "key", body=b"odd" if number % 2 else b"even").headers["location"]
        except RmapError as error:
            return error.code
        finally:
            own.close()

    with ThreadPoolExecutor(max_workers=20) as threads:
        answers = list(threads.map(attempt, range(20)))
    assert answers.count("invalid") == 10
    assert len(set(answers)) == 2
    assert count(database, acme) == (1, 1, 1, 1)


@pytest.mark.parametrize("key", ["", "x" * 256, "a\nb", "a\x00b", "a\tb"])
def test_a_key_that_cannot_be_kept_is_400(key: str) -> None:
    with pytest.raises(BadRequest):
        Attempt.of(key, "POST", PATH, b"", "")


@pytest.mark.parametrize("key", ["a", "x" * 255, "schlüssel", str(uuid4())], ids=["short", "long", "umlaut", "uuid"])
def test_any_other_key_will_do(database: Database, acme: TenantContext, key: str) -> None:
    assert send(database, acme, key).headers["location"] == send(database, acme, key).headers["location"]


def test_two_people_of_a_tenant_do_not_share_keys(database: Database, acme: TenantContext) -> None:
    colleague = TenantContext(
        tenant=acme.tenant, user=None, role="key", permissions=acme.permissions, source=acme.source,
        request_id="r", key="till-7",
    )  # fmt: skip
    first, other = send(database, acme, "key"), send(database, colleague, "key")
    assert first.content["id"] != other.content["id"]
