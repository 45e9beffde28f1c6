"""A house for uploads: a bucket and a database, queues in memory, a worker that can be killed at any step."""

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from local.stack import Stack
from shared.measurements.repository.raw import RawRepository
from shared.measurements.service import Processor
from shared.sites.model import Known, Profile, Setup
from shared.uploads.gateway import Files
from shared.uploads.model import UploadId, Wanted
from shared.uploads.repository import UploadRepository
from shared.uploads.service.reader import Reader
from shared.uploads.service.requests import Uploads
from tenant_context.clock import uuid7
from tenant_context.context import TenantContext, from_message
from tenant_context.entry.queue import Message
from tenant_context.postgres import Database
from tenant_context.refusals import RowsOfDayTaken

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
HEAD = "sensor,start,end,entries,exits"


class Sandbox(BaseException):
    """The sandbox is gone: no code of ours runs after this."""


class Waiting:
    """A queue in memory."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.delays: list[int] = []
        self.before: Callable[[], None] = lambda: None

    def send(self, messages: Sequence[Message], *, delay_seconds: int = 0) -> None:
        """Keep them, after whatever is to happen before."""
        self.before()
        self.messages += messages
        self.delays += [delay_seconds] * len(messages)


class House:
    """One tenant's uploads."""

    def __init__(self, servers: Stack, database: Database, tenant: TenantContext) -> None:
        self.s3 = servers.client("s3")
        self.bucket = f"uploads-{uuid4().hex[:12]}"
        self.s3.create_bucket(Bucket=self.bucket)
        self.database, self.tenant = database, tenant
        self.files = Files(self.bucket)
        self.repository = UploadRepository(database)
        self.jobs, self.counts, self.transactions = Waiting(), Waiting(), Waiting()
        self.requests = Uploads(self.repository, self.files, self.jobs.send, uuid7)
        self.sensors: dict[str, Known] = {}
        self.sites: dict[str, UUID] = {}
        self.rows_left = 10**9
        self.elapsed: Callable[[], float] = lambda: 0.0

    def add_sensor(self, serial: str, setup: Setup | None = None, zone: str = "UTC") -> UUID:
        """A sensor, and its store."""
        site, sensor = uuid7(), uuid7()
        with self.database.transaction(self.tenant) as tx:
            tx.run(
                "INSERT INTO sites (tenant_id, id, name, code, time_zone, created_at, updated_at)"
                " VALUES (%s, %s, 'Main', %s, %s, now(), now())",
                (self.tenant.tenant, site, site.hex[:12], zone),
            )
            tx.run(
                "INSERT INTO sensors (tenant_id, id, site_id, name, serial, kind, interval_minutes, created_at,"
                " updated_at) VALUES (%s, %s, %s, 'Door', %s, 'line', 15, now(), now())",
                (self.tenant.tenant, sensor, site, serial),
            )
        self.sensors[serial] = Known(sensor, Profile(zone, 15, setup or Setup()))
        self.sites["main"] = site
        return sensor

    def announce(self, size: int, **about: Any) -> tuple[UploadId, dict[str, Any]]:
        """An upload, and where to put it."""
        wanted = Wanted(**{"kind": "counts", "form": "csv", "bytes": size, **about})
        with self.database.transaction(self.tenant) as tx:
            upload, _, links = self.requests.announce(tx, wanted)
        return upload, links

    def put(self, raw: bytes, **about: Any) -> UploadId:
        """A file that is there."""
        upload, links = self.announce(len(raw), **about)
        start = 0
        for part in links["parts"]:
            assert put(part["url"], raw[start : start + part["bytes"]], links["headers"]) == 200
            start += part["bytes"]
        with self.database.transaction(self.tenant) as tx:
            self.requests.complete(tx, upload)
        return upload

    def reader(self) -> Reader:
        """A worker."""
        queues: Any = {"counts": self.counts, "transactions": self.transactions}
        return Reader(
            self.database, self.repository, self.files, self.jobs, queues,  # type: ignore[arg-type]
            find=lambda _, __, names: {one: self.sites[one] for one in names & self.sites.keys()},
            look=lambda _, names: {one: self.sensors[one] for one in names & self.sensors.keys()},
            rows=self, elapsed=self.elapsed,
        )  # fmt: skip

    def take(self, tenant: UUID, limit: int | None, rows: int) -> dict[str, str]:
        """The day's rows."""
        del tenant, limit
        if rows > self.rows_left:
            raise RowsOfDayTaken(1, 1, MONDAY, MONDAY.timestamp())
        self.rows_left -= rows
        return {}

    def give_back(self, tenant: UUID, rows: int) -> None:
        """What was not kept."""
        del tenant
        self.rows_left += rows

    def work(self) -> None:
        """One message of the queue of uploads."""
        self.reader()(from_message(self.tenant.tenant, "worker"), self.jobs.messages.pop(0))

    def read(self, raw: bytes, **about: Any) -> dict[str, Any]:
        """Upload a file, read it to its end; what is shown then."""
        upload = self.put(raw, **about)
        while self.jobs.messages:
            self.work()
        return self.shown(upload)

    def shown(self, upload: UploadId) -> dict[str, Any]:
        """How far it is."""
        found: dict[str, Any] = json.loads(self.requests.show(self.tenant, upload))
        return found

    def process(self, *, times: int = 1) -> None:
        """Write what was queued; each message as often as it is delivered."""
        for _ in range(times):
            for queue, kind, write in (
                (self.counts, "counts", RawRepository.write_counts),
                (self.transactions, "transactions", RawRepository.write_transactions),
            ):
                processor = Processor(self.database, RawRepository(uuid7), kind, write)
                for message in queue.messages:
                    data = json.loads(message.encode())["data"]
                    processor(self.tenant, Message(message.tenant, message.id, kind, data))

    def remove(self) -> None:
        """Take the bucket away."""
        for found in self.s3.list_objects_v2(Bucket=self.bucket).get("Contents", []):
            self.s3.delete_object(Bucket=self.bucket, Key=found["Key"])
        for found in self.s3.list_multipart_uploads(Bucket=self.bucket).get("Uploads", []):
            self.s3.abort_multipart_upload(Bucket=self.bucket, Key=found["Key"], UploadId=found["UploadId"])
        self.s3.delete_bucket(Bucket=self.bucket)
        self.files.close()
        self.s3.close()


def put(url: str, raw: bytes, headers: dict[str, str]) -> int:
    """Put bytes to a signed address; the status."""
    request = urllib.request.Request(url, data=raw, method="PUT", headers=headers)  # noqa: S310  the local endpoint
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            assert isinstance(answer, http.client.HTTPResponse)
            return answer.status
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def rows(number: int, serial: str = "door", first: int = 0) -> str:
    """Lines of a CSV: a quarter of an hour each."""
    moments = (MONDAY + timedelta(minutes=15 * step) for step in range(first, first + number))
    return "".join(
        f"{serial},{one:%Y-%m-%dT%H:%M:%SZ},{one + timedelta(minutes=15):%Y-%m-%dT%H:%M:%SZ},2,1\n" for one in moments
    )


SALES = "id,site,time,currency,sku,quantity,unit_price\n"


def csv(number: int) -> bytes:
    """A file of counts."""
    return (HEAD + "\n" + rows(number)).encode()


def ndjson(number: int) -> bytes:
    """The same as lines of JSON."""
    names = HEAD.split(",")
    found = [dict(zip(names, line.split(","), strict=True)) for line in rows(number).splitlines()]
    return "\n".join(
        json.dumps({**row, "entries": int(row["entries"]), "exits": int(row["exits"])}) for row in found
    ).encode()


def stored(house: House) -> tuple[int, int, int]:
    """Raw rows, people who came in, and the highest revision."""
    found = house.database.read(
        house.tenant, "SELECT count(*), coalesce(sum(entries), 0), coalesce(max(revision), 0) FROM people_counts"
    )
    return found[0][0], found[0][1], found[0][2]
