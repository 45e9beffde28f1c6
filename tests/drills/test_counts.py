"""Counts flow while PostgreSQL crashes, processors are killed, the queue repeats itself: in the end they are exact."""

import json
import os
import random
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from multiprocessing import get_context
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import psutil
import psycopg
import pytest

from functions.migrations.runner import migrate
from local import database as local_database
from local import ports
from local.stack import Stack
from local.vault import secrets_of
from shared.sensors import rules
from shared.sensors.gateway import BatchQueue
from shared.sensors.service import Ingest
from shared.sites.model import Known, Profile
from tenant_context.aws import AwsClient
from tenant_context.clock import utc_now, uuid7
from tenant_context.context import Source, TenantContext, from_credentials
from tenant_context.entry.queue import Message
from tenant_context.postgres import Database
from tenant_context.queues import Queue
from tenant_context.settings import DatabaseSettings
from tests.conftest import owner_of
from tests.drills.counting import Work, live
from tests.local.conftest import new_instance

ROWS = int(os.environ.get("RMAP_DRILL_ROWS", "40000"))
SENSORS, STORES = 30, 5
PUSH = 5_000
"""Rows of a push, of which some repeat others of it."""
PROCESSORS = 2
VISIBILITY_SECONDS = 3
START = datetime(2025, 10, 24, tzinfo=UTC)
"""Before a month's end, and a day of 25 hours."""
QUARTER = timedelta(minutes=15)
_Key = tuple[UUID, datetime]
_Count = tuple[int, int]


class Repeating(Queue):
    """A queue that holds some messages twice, as those of SQS may."""

    def __init__(self, url: str, chance: random.Random, client: AwsClient) -> None:
        super().__init__(url, client)
        self._chance = chance
        self.repeated = 0

    def send(self, messages: Sequence[Message], *, delay_seconds: int = 0) -> None:
        """Send them, and some once more."""
        again = [one for one in messages if self._chance.random() < 0.1]
        self.repeated += len(again)
        super().send([*messages, *again], delay_seconds=delay_seconds)


class Unlimited:
    """No day's rows are too many for a drill."""

    def take(self, tenant: UUID, limit: int | None, rows: int) -> dict[str, str]:
        """Take them."""
        del tenant, limit, rows
        return {}

    def give_back(self, tenant: UUID, rows: int) -> None:
        """Nothing was counted."""


@dataclass
class Cluster:
    """A PostgreSQL that keeps what it said it has, and may be killed."""

    server: local_database.Database
    settings: DatabaseSettings
    crashes: Counter[str] = field(default_factory=Counter)

    def admin(self) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection that sees everything."""
        return psycopg.connect(self.server.admin_url(), autocommit=True)

    def environment(self) -> dict[str, str]:
        """What tells the deployed processor of it."""
        return {
            "RMAP_STAGE": "test",
            "RMAP_BUS": "",
            "RMAP_DATABASE_HOST": self.settings.host,
            "RMAP_DATABASE_PORT": str(self.settings.port),
            "RMAP_DATABASE_NAME": self.settings.name,
            "RMAP_DATABASE_USER": self.settings.user,
            "RMAP_DATABASE_AUTH": self.settings.auth,
            "RMAP_DATABASE_SECRET": self.settings.secret,
        }

    def crash(self, chance: random.Random) -> None:
        """Kill a session, upon which PostgreSQL restarts itself and recovers; or all of it, and start it anew."""
        head = self.server.server.process()
        assert head is not None
        if chance.random() < 0.5:
            sessions = [one for one in head.children() if _is_session(one)]
            if sessions:
                chance.choice(sessions).kill()
                self.crashes["session"] += 1
                return
        everybody = [head, *head.children(recursive=True)]
        for one in everybody:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        psutil.wait_procs(everybody, timeout=10)
        self.crashes["whole"] += 1
        self.server.start()


def _is_session(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return "rmap_app" in " ".join(process.cmdline())
    return False


@pytest.fixture
def cluster(servers: Stack) -> Iterator[Cluster]:
    with new_instance() as instance:
        secrets = secrets_of(instance)
        server = local_database.Database(instance, ports.free(), secrets)
        server.start()
        with psycopg.connect(server.url("rmap_owner")) as owner:
            migrate(owner)
        name = f"rmap/drill/{uuid4()}"
        client = servers.client("secretsmanager")
        client.create_secret(Name=name, SecretString=json.dumps({"password": secrets.rmap_app}))
        yield Cluster(server, DatabaseSettings(host="127.0.0.1", port=server.port, auth="secret", secret=name))
        server.server.stop()
        client.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)


@pytest.fixture
def queue(servers: Stack) -> Iterator[str]:
    sqs = servers.client("sqs")
    attributes = {"VisibilityTimeout": str(VISIBILITY_SECONDS)}
    url: str = sqs.create_queue(QueueName=f"drill-{uuid4().hex[:12]}", Attributes=attributes)["QueueUrl"]
    yield url
    sqs.delete_queue(QueueUrl=url)


def settle(database: Database) -> tuple[TenantContext, dict[str, Known]]:
    """A tenant with stores and sensors."""
    tenant, owner = uuid7(), uuid7()
    known: dict[str, Known] = {}
    with database.transaction(from_credentials(tenant, owner, Source.SIGN_UP, "drill")) as tx:
        say = tx.run
        say("INSERT INTO tenants (tenant_id, slug, name, created_at, updated_at) VALUES (%s, 'acme', 'Acme', %s, %s)",
            (tenant, START, START))  # fmt: skip
        say("INSERT INTO users (user_id, email, name, password_hash, created_at, updated_at)"
            " VALUES (%s, 'o@acme.example', 'O', 'none', %s, %s)", (owner, START, START))  # fmt: skip
        say("INSERT INTO memberships VALUES (%s, %s, 'owner', %s)", (tenant, owner, START))
    stores = [uuid7() for _ in range(STORES)]
    with database.transaction(owner_of(tenant, owner)) as tx:
        for number, store in enumerate(stores):
            tx.run("INSERT INTO sites (tenant_id, id, name, code, time_zone, created_at, updated_at)"
                   " VALUES (%s, %s, 'Main', %s, 'Europe/Berlin', %s, %s)",
                   (tenant, store, f"store-{number}", START, START))  # fmt: skip
        for number in range(SENSORS):
            sensor = uuid7()
            tx.run("INSERT INTO sensors (tenant_id, id, site_id, name, serial, kind, interval_minutes, created_at,"
                   " updated_at) VALUES (%s, %s, %s, 'Door', %s, 'line', 15, %s, %s)",
                   (tenant, sensor, stores[number % STORES], f"AX-{number}", START, START))  # fmt: skip
            known[f"AX-{number}"] = Known(sensor, Profile("Europe/Berlin"))
    return owner_of(tenant, owner), known


def pushes(known: dict[str, Known], truth: dict[_Key, _Count], chance: random.Random) -> Iterator[list[dict[str, Any]]]:
    """Rows in pushes, out of order, some twice in one and some corrected by a later one; `truth` is what holds."""
    places = [(name, step) for step in range(ROWS // SENSORS) for name in known]
    blocks = [places[start : start + PUSH] for start in range(0, len(places), PUSH)]
    chance.shuffle(blocks)
    before: list[tuple[str, int]] = []
    for block in blocks:
        mended = chance.sample(before, min(len(before), PUSH // 20))
        rows = []
        for name, step in (*block, *mended):
            start = START + QUARTER * step
            count = chance.randrange(60), chance.randrange(60)
            truth[known[name].id, start] = count
            rows.append(
                {
                    "sensor": name,
                    "start": start.isoformat(),
                    "end": (start + QUARTER).isoformat(),
                    "entries": count[0],
                    "exits": count[1],
                }
            )
        rows += chance.sample(rows, len(rows) // 20)
        chance.shuffle(rows)
        before = block
        yield rows


@dataclass
class Crew:
    """Processors at work; one that is killed is followed by another."""

    work: Work
    killed: int = 0

    def __post_init__(self) -> None:
        self._spawn = get_context("forkserver")
        self._spawn.set_forkserver_preload(["tests.drills.counting"])
        self._all = [self._begin() for _ in range(PROCESSORS)]

    def _begin(self) -> Any:
        one = self._spawn.Process(target=live, args=(self.work,), daemon=True)
        one.start()
        return one

    def tend(self) -> None:
        """Replace who has gone: a processor ends of itself where it finds no PostgreSQL when it begins."""
        for place, one in enumerate(self._all):
            if not one.is_alive():
                one.join()
                self._all[place] = self._begin()

    def kill(self, chance: random.Random) -> None:
        """Kill one, whatever it is at."""
        one = chance.choice(self._all)
        if one.is_alive():
            os.kill(one.pid, signal.SIGKILL)
            one.join()
            self.killed += 1
        self.tend()

    def end(self) -> None:
        """Send them home."""
        for one in self._all:
            one.kill()
            one.join()


def left(servers: Stack, queue: str) -> int:
    """Messages that are in the queue, those that somebody has in hand included."""
    kinds = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    told = servers.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=kinds)["Attributes"]
    return sum(int(told[kind]) for kind in kinds)


@dataclass
class Sent:
    """What was pushed, and what holds of it."""

    truth: dict[_Key, _Count] = field(default_factory=dict)
    batches: list[UUID] = field(default_factory=list)
    rows: int = 0
    duplicates: int = 0


@dataclass
class Trouble:
    """Kills somebody every now and then."""

    cluster: Cluster
    crew: Crew
    chance: random.Random
    last_kill: float = field(default_factory=time.monotonic)
    last_crash: float = field(default_factory=time.monotonic)

    def make(self, *, always: bool = False) -> None:
        """Look whether it is time; `always`: it is."""
        self.crew.tend()
        if always or time.monotonic() - self.last_kill > 0.7:
            self.crew.kill(self.chance)
            self.last_kill = time.monotonic()
        if always or time.monotonic() - self.last_crash > 3:
            self.cluster.crash(self.chance)
            self.last_crash = time.monotonic()


def flow(sent: Sent, door: Repeating, trouble: Trouble, servers: Stack, queue: str) -> None:
    """Push everything, and wait until nobody has anything left to do."""
    database = Database(trouble.cluster.settings, clock=utc_now)
    tenant, known = settle(database)
    database.close()
    ingest = Ingest(
        lambda *_: {},
        lambda _, references: {name: known[name] for name in references},
        BatchQueue(door, "counts"),
        BatchQueue(door, "transactions"),
        utc_now,
        uuid7,
        rows=Unlimited(),
    )
    for rows in pushes(known, sent.truth, trouble.chance):
        receipt = ingest.take_counts(tenant, rules.read_counts_json(json.dumps({"counts": rows}).encode()))
        assert not receipt.refused
        sent.batches.append(receipt.batch)
        sent.rows, sent.duplicates = sent.rows + len(rows), sent.duplicates + receipt.duplicates
        trouble.make()
    trouble.make(always=True)
    while left(servers, queue):
        trouble.make()
        time.sleep(0.1)


def check_rows(admin: psycopg.Connection[tuple[Any, ...]], truth: dict[_Key, _Count]) -> None:
    """Each interval is there once with its last value, and the rollup is the sum of them."""
    found = admin.execute("SELECT sensor_id, starts_at, ends_at, entries, exits, site_id FROM people_counts")
    raw = {(row[0], row[1]): row for row in found}
    assert {key: (row[3], row[4]) for key, row in raw.items()} == truth
    assert all(row[2] - row[1] == QUARTER for row in raw.values())
    sums: dict[tuple[UUID, datetime], Counter[str]] = defaultdict(Counter)
    for (_, start), row in raw.items():
        sums[row[5], start].update(entries=row[3], exits=row[4], intervals=1, minutes=15)
    rolled = admin.execute("SELECT site_id, bucket, entries, exits, intervals, minutes FROM footfall_15m")
    assert {(row[0], row[1]): row[2:] for row in rolled} == {
        key: (one["entries"], one["exits"], one["intervals"], one["minutes"]) for key, one in sums.items()
    }


def check_days(admin: psycopg.Connection[tuple[Any, ...]], sent: Sent) -> None:
    """Days of stores and of the organization are sums of their rows, by their clock; tallies and usage too."""
    zone = ZoneInfo("Europe/Berlin")
    days: dict[tuple[UUID, date], Counter[str]] = defaultdict(Counter)
    for site, start, entries, exits in admin.execute("SELECT site_id, starts_at, entries, exits FROM people_counts"):
        for place in (site, UUID(int=0)):
            days[place, start.astimezone(zone).date()].update(entries=entries, exits=exits, intervals=1, minutes=15)
    rolled = admin.execute(
        "SELECT place_id, day, sum(entries), sum(exits), sum(intervals), sum(minutes) FROM footfall_day GROUP BY 1, 2"
    )
    assert {(row[0], row[1]): tuple(map(int, row[2:])) for row in rolled} == {
        key: (one["entries"], one["exits"], one["intervals"], one["minutes"]) for key, one in days.items()
    }
    (tallied,) = admin.execute("SELECT sum(received) FROM quality_days").fetchall()
    assert tallied == (sent.rows - sent.duplicates,)
    changed, used = admin.execute(
        "SELECT (SELECT sum(stored + revised) FROM ingest_parts),"
        " (SELECT sum(quantity) FROM usage_monthly WHERE meter = 'ingested_rows')"
    ).fetchall()[0]
    assert changed == used


def check_accounts(admin: psycopg.Connection[tuple[Any, ...]], sent: Sent) -> int:
    """Every row that was sent is accounted for, and every part once; answers how many parts there were."""
    written = admin.execute("SELECT id, parts, rows, duplicates FROM ingest_batches").fetchall()
    assert sorted(row[0] for row in written) == sorted(sent.batches)
    assert sum(row[2] + row[3] for row in written) == sent.rows
    assert sum(row[3] for row in written) == sent.duplicates > 0
    (ended,) = admin.execute(
        "SELECT count(*), sum(stored), sum(stored + unchanged + revised + quarantined) FROM ingest_parts"
    ).fetchall()
    assert ended == (sum(row[1] for row in written), len(sent.truth), sent.rows - sent.duplicates)
    told = admin.execute("SELECT count(*) FROM outbox WHERE type = 'batch.processed'").fetchall()
    assert told == [(ended[0],)]
    return int(ended[0])


@pytest.mark.timeout(3_600)
def test_counts_are_exact_whoever_is_killed_while_they_flow(
    servers: Stack, cluster: Cluster, queue: str, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(7)  # noqa: S311  chance that can be repeated
    sent, began = Sent(), time.monotonic()
    client = AwsClient("sqs")
    door = Repeating(queue, chance, client)
    crew = Crew(Work(queue, servers.aws_environment() | cluster.environment()))
    try:
        flow(sent, door, Trouble(cluster, crew, chance), servers, queue)
    finally:
        crew.end()
        client.close()
    seconds = time.monotonic() - began
    cluster.server.start()
    with cluster.admin() as admin:
        check_rows(admin, sent.truth)
        check_days(admin, sent)
        parts = check_accounts(admin, sent)
    assert min(door.repeated, crew.killed, cluster.crashes.total()) > 0
    corrected = sent.rows - sent.duplicates - len(sent.truth)
    with capsys.disabled():
        print(  # noqa: T201  the figures are what a drill is for
            f"\n{sent.rows} rows in {parts} parts ({door.repeated} queued twice), {sent.duplicates} duplicates in "
            f"pushes, {corrected} corrections; {crew.killed} processors killed, PostgreSQL crashed "
            f"{dict(cluster.crashes)}; exact after {seconds:.0f} s"
        )
