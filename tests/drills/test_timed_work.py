"""Timed work that fails, dies or is called twice: everything is started in the end, and nothing is started twice."""

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any, LiteralString
from uuid import UUID, uuid4

import pytest
from psycopg import sql

from functions.scheduled_refreshes.plan import Plan
from infra import catalog
from local.stack import Stack
from shared.jobs.gateway import Work
from shared.jobs.model import Job
from shared.jobs.repository import JobRepository
from shared.leases.gateway import HELD_SECONDS, Leases
from tenant_context.aws import AwsClient, AwsError
from tenant_context.clock import uuid7
from tenant_context.postgres import Database
from tenant_context.queues import Queue
from tests.conftest import Clone

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SLOT = {"slot": "2026-03-02T12:00:00Z"}
TENANTS = 35
EACH_TIME = (Job.REFRESH_PERFORMANCE, Job.USAGE, Job.LIFE, Job.QUALITY, Job.WATCH)
"""Work of every call; the rest is the day's."""


class Sandbox(BaseException):
    """The sandbox is gone: no code of ours runs after this."""


class Sqs(AwsClient):
    """The real queue, until the calls that were foreseen are used up."""

    def __init__(self) -> None:
        super().__init__("sqs")
        self.left: int | None = None
        self.end: BaseException = AwsError("ServiceUnavailable", "no", 503)

    def call(self, operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        if self.left is not None:
            if self.left == 0:
                raise self.end
            self.left -= 1
        return super().call(operation, payload)


@dataclass
class Timed:
    """The function's plan on a database, a table and a queue of its own, at a time that can be set."""

    servers: Stack
    database: Database
    now: datetime = NOON
    sqs: Sqs = field(default_factory=Sqs)

    def __post_init__(self) -> None:
        suffix = uuid4().hex[:12]
        self._queues, self._tables = self.servers.client("sqs"), self.servers.client("dynamodb")
        self._url: str = self._queues.create_queue(QueueName=f"refreshes-{suffix}")["QueueUrl"]
        self._table = f"leases-{suffix}"
        self._tables.create_table(
            TableName=self._table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        )
        self.plan = Plan(
            JobRepository(self.database),
            Work(Queue(self._url, self.sqs)),
            Leases(self._table, "us-east-1", self.servers.aws_endpoint_url),
            lambda: self.now,
        )

    def call(self, schedule: Mapping[str, Any] = SLOT) -> int:
        return self.plan("run-1", schedule)

    def queued(self) -> Counter[tuple[str, str]]:
        """How many messages there are for each job and tenant; takes them off the queue."""
        found: Counter[tuple[str, str]] = Counter()
        quiet_at = time.monotonic() + 0.5
        while messages := self._receive(quiet_at):
            for message in messages:
                body = json.loads(message["Body"])
                found[body["kind"], body["tenant"]] += 1
                self._queues.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return found

    def _receive(self, until: float) -> list[dict[str, Any]]:
        while True:
            answer = self._queues.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10)
            found: list[dict[str, Any]] = answer.get("Messages", [])
            if found or time.monotonic() >= until:
                return found
            time.sleep(0.05)

    def remove(self) -> None:
        self._queues.delete_queue(QueueUrl=self._url)
        self._tables.delete_table(TableName=self._table)
        for client in (self._queues, self._tables, self.sqs):
            client.close()


@pytest.fixture
def timed(servers: Stack, database: Database) -> Iterator[Timed]:
    made = Timed(servers, database)
    yield made
    made.remove()


# What gives each job something to do: a tenant whose billing is pending, what flew, was counted and is limited.
_WORK: tuple[LiteralString, ...] = (
    (
        "INSERT INTO tenants (tenant_id, slug, name, created_at, updated_at)"
        " VALUES (%(id)s, %(slug)s, 'T', %(now)s, %(now)s)"
    ),
    (
        "INSERT INTO campaigns (tenant_id, id, name, type, status, budget, currency, starts_at, created_by, created_at,"
        " updated_at) VALUES (%(id)s, %(id)s, 'C', 'in_store', 'active', 1, 'EUR', %(now)s, %(id)s, %(now)s, %(now)s)"
    ),
    "INSERT INTO quality_days (tenant_id, sensor_id, day, touched_at) VALUES (%(id)s, %(id)s, %(now)s, %(now)s)",
    (
        "INSERT INTO occupancy_limits (tenant_id, site_id, capacity, clear_at, updated_at)"
        " VALUES (%(id)s, %(id)s, 10, 5, %(now)s)"
    ),
)


@pytest.fixture
def tenants(clone: Clone) -> list[UUID]:
    """Tenants for which every job has something to do."""
    made = [uuid7() for _ in range(TENANTS)]
    with clone.connect() as admin:
        admin.execute("SET session_replication_role = replica")  # their sites and sensors are nobody's here
        for tenant, statement in product(made, _WORK):
            admin.execute(statement, {"id": tenant, "slug": f"t-{tenant.hex[-12:]}", "now": NOON})
    return sorted(made)


def each_once(tenants: list[UUID], *jobs: Job) -> Counter[tuple[str, str]]:
    return Counter((job.value, str(tenant)) for job in jobs for tenant in tenants)


def months(clone: Clone) -> int:
    with clone.connect() as admin:
        row = admin.execute(
            "SELECT count(*) FROM pg_inherits WHERE inhparent IN ('people_counts'::regclass, 'transactions'::regclass)"
        ).fetchone()
    assert row is not None
    return int(str(row[0]))


def test_a_call_starts_every_tenants_work_and_the_first_of_the_day_what_is_daily(
    timed: Timed, tenants: list[UUID]
) -> None:
    assert timed.call() == len(Job) * TENANTS
    assert timed.queued() == each_once(tenants, *Job)
    timed.now += timedelta(minutes=15)
    assert timed.call({"slot": "2026-03-02T12:15:00Z"}) == len(EACH_TIME) * TENANTS
    assert timed.queued() == each_once(tenants, *EACH_TIME)


def test_who_has_nothing_to_be_done_is_left_alone_but_once_an_hour(
    timed: Timed, tenants: list[UUID], clone: Clone
) -> None:
    """What the tenants have is taken from them; what is for everybody once an hour mends what left no trace."""
    tidied = tenants[: TENANTS - 1]
    with clone.connect() as admin:
        for table in ("campaigns", "quality_days", "occupancy_limits"):
            admin.execute(sql.SQL("DELETE FROM {} WHERE tenant_id = ANY (%s)").format(sql.Identifier(table)), (tidied,))
        admin.execute("UPDATE tenants SET status = 'active'")
        admin.execute(
            "INSERT INTO usage_events (tenant_id, source, id, meter, at, quantity, received_at)"
            " SELECT unnest(%s::uuid[]), 'storage', '2026-03-02', 'storage', %s, 0, %s",
            (tidied, NOON, NOON),
        )
    timed.call()
    timed.queued()
    timed.now += timedelta(minutes=15)
    timed.call({"slot": "2026-03-02T12:15:00Z"})
    busy = (Job.REFRESH_PERFORMANCE, Job.QUALITY, Job.WATCH)
    assert timed.queued() == each_once(tenants[-1:], Job.USAGE, *busy)
    timed.now += timedelta(minutes=45)
    timed.call({"slot": "2026-03-02T13:00:00Z"})
    assert timed.queued() == each_once(tenants, Job.USAGE, Job.LIFE) + each_once(tenants[-1:], *busy)
    timed.now += timedelta(minutes=1)
    timed.call({"slot": "2026-03-02T13:01:00Z"})
    assert timed.queued() == each_once(tenants[-1:], *busy), "once, however often it is called"
    timed.now += timedelta(minutes=14)
    timed.call({"slot": "2026-03-02T13:15:00Z"})
    assert timed.queued() == each_once(tenants[-1:], Job.USAGE, *busy)


def test_a_call_that_comes_twice_starts_the_work_once(timed: Timed, tenants: list[UUID]) -> None:
    timed.call()
    timed.now += timedelta(minutes=10)
    assert timed.call() == 0
    assert timed.queued() == each_once(tenants, *Job)


@pytest.mark.usefixtures("tenants")
def test_without_a_slot_the_minute_is_one(timed: Timed) -> None:
    timed.call({})
    timed.now += timedelta(seconds=59)
    assert timed.call({}) == 0
    timed.now += timedelta(seconds=1)
    assert timed.call({}) == (len(EACH_TIME) - 1) * TENANTS, "usage is for once in a quarter of an hour"


# Four calls to SQS take a job's 35 tenants: these fail in the first job, between two jobs and in the last one.
@pytest.mark.parametrize("calls", [0, 1, 3, 4, 6, 11, 31])
def test_a_run_that_fails_midway_is_finished_by_the_next_and_nothing_is_doubled(
    timed: Timed, tenants: list[UUID], calls: int
) -> None:
    timed.sqs.left = calls
    with pytest.raises(AwsError):
        timed.call()
    timed.sqs.left = None
    timed.now += timedelta(seconds=1)
    timed.call()
    assert timed.queued() == each_once(tenants, *Job)


def test_a_database_that_was_gone_leaves_the_days_work_to_the_next_call(
    timed: Timed, tenants: list[UUID], clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as gone:
        gone.setattr(JobRepository, "ensure_months", _gone)
        with pytest.raises(ConnectionError):
            timed.call()
    assert months(clone) == 0
    timed.now += timedelta(minutes=15)
    timed.call({"slot": "2026-03-02T12:15:00Z"})
    assert months(clone) == 6
    expected = each_once(tenants, *Job) + each_once(tenants, *EACH_TIME)
    assert timed.queued() == expected


def _gone(*_arguments: object) -> None:
    raise ConnectionError("gone")


def test_a_run_that_died_holds_its_slot_until_it_must_be_over(
    timed: Timed, tenants: list[UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.jobs.repository._PAGE", 20)
    timed.sqs.left, timed.sqs.end = 2, Sandbox()
    with pytest.raises(Sandbox):
        timed.call()
    timed.sqs.left = None
    timed.now += timedelta(seconds=HELD_SECONDS - 1)
    refreshes = Job.REFRESH_PERFORMANCE.value
    assert timed.call() == (len(Job) - 1) * TENANTS, "the day's work, which nobody holds"
    timed.now += timedelta(seconds=1)
    assert timed.call() == TENANTS - 20, "from the last page that was noted"
    queued = timed.queued()
    assert {tenant: queued[refreshes, str(tenant)] for tenant in tenants} == dict.fromkeys(tenants, 1)


def test_a_lease_is_held_longer_than_its_run_may_take_and_free_when_lambda_tries_again() -> None:
    timeout = catalog.function("scheduled_refreshes").timeout_s
    assert timeout < HELD_SECONDS < timeout + 60
