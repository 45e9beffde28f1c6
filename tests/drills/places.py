"""Stores of one test's own for exports and erasures, and a worker that can be killed at any of its steps."""

from collections.abc import Callable, Sequence
from typing import Any, cast
from uuid import UUID, uuid4

from local.stack import Stack
from shared.erasure.repository import ErasureRepository
from shared.erasure.service import Eraser
from shared.exports.gateway.archives import Archives
from shared.exports.gateway.items import TenantItems
from shared.exports.repository.exports import ExportRepository
from shared.exports.repository.tables import TableRepository
from shared.exports.rules.contents import ITEMS
from shared.exports.service.loader import Loader
from shared.exports.service.maker import Maker
from shared.exports.service.requests import Exports
from tenant_context.aws import AwsClient
from tenant_context.clock import uuid7
from tenant_context.context import TenantContext
from tenant_context.dynamo import Item, Table
from tenant_context.entry.queue import Message
from tenant_context.events import Event
from tenant_context.postgres import Database
from tests.conftest import Clone

TABLES = ("sessions", "api_keys", "tickets", "devices", "deliveries", "data_keys")


class Sandbox(BaseException):
    """The sandbox is gone: no code of ours runs after this."""


class Fuse:
    """Ends the worker at its n-th step: before it does anything, or after and before it can say so."""

    def __init__(self) -> None:
        self.left: int | None = None
        self.after = False
        self.steps = 0

    def step(self, do: Callable[[], Any]) -> Any:
        """One step."""
        self.steps += 1
        blown = self.left == 0
        if self.left is not None:
            self.left -= 1
        if blown and not self.after:
            raise Sandbox
        done = do()
        if blown:
            raise Sandbox
        return done


class FusedArchives(Archives):
    """S3, each change of which is a step."""

    def __init__(self, bucket: str, fuse: Fuse) -> None:
        super().__init__(bucket)
        self._fuse = fuse

    def begin(self, key: str) -> str:
        return str(self._fuse.step(lambda: super(FusedArchives, self).begin(key)))

    def put_part(self, key: str, upload: str, number: int, content: bytes) -> str:
        return str(self._fuse.step(lambda: super(FusedArchives, self).put_part(key, upload, number, content)))

    def complete(self, key: str, upload: str, etags: Sequence[tuple[int, str]], size: int) -> None:
        self._fuse.step(lambda: super(FusedArchives, self).complete(key, upload, etags, size))

    def delete(self, keys: Sequence[Any]) -> None:
        self._fuse.step(lambda: super(FusedArchives, self).delete(keys))


class FusedItems(TenantItems):
    """DynamoDB, each deletion of which is a step."""

    def __init__(self, table: str, client: AwsClient, fuse: Fuse) -> None:
        super().__init__(table, client)
        self._fuse = fuse

    def delete(self, keys: Sequence[Any]) -> None:
        self._fuse.step(lambda: super(FusedItems, self).delete(keys))


class FusedDatabase:
    """PostgreSQL, each transaction of which is a step; everything else is the database's own."""

    def __init__(self, database: Database, fuse: Fuse) -> None:
        self._database = database
        self._fuse = fuse

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    def transaction(self, tenant: TenantContext) -> Any:
        fuse = self._fuse
        inner: Any = self._database.transaction(tenant)

        class Fused:
            def __enter__(self) -> Any:
                fuse.steps += 1
                self.blown = fuse.left == 0
                if fuse.left is not None:
                    fuse.left -= 1
                if self.blown and not fuse.after:
                    raise Sandbox
                return inner.__enter__()

            def __exit__(self, *raised: object) -> Any:
                handled = inner.__exit__(*raised)
                if self.blown:
                    raise Sandbox
                return handled

        return Fused()


class Outbox:
    """What was published without a row."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def publish(self, _tenant: TenantContext, events: Sequence[Event], _now: object) -> list[Any]:
        """Remember the events."""
        self.events += events
        return [event.id for event in events]


class Waiting:
    """A queue that keeps what it is sent."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def send(self, messages: Sequence[Message], *, delay_seconds: int = 0) -> None:
        """Keep the messages."""
        del delay_seconds
        self.messages += messages


class Place:
    """The workers on a database, a bucket and tables of their own."""

    def __init__(self, servers: Stack, database: Database, clone: Clone) -> None:
        self._clone = clone
        suffix = uuid4().hex[:12]
        self.s3, self._tables = servers.client("s3"), servers.client("dynamodb")
        self.bucket = f"exports-{suffix}"
        self.s3.create_bucket(Bucket=self.bucket)
        self.names = {name: f"{name}-{suffix}" for name in TABLES}
        for name in self.names.values():
            self._tables.create_table(
                TableName=name,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": part, "AttributeType": "S"} for part in ("pk", "sk")],
                KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            )
        self.dynamodb = AwsClient("dynamodb")
        self.fuse, self.queue, self.outbox, self.forgotten = Fuse(), Waiting(), Outbox(), list[Any]()
        self.database = cast("Any", FusedDatabase(database, self.fuse))
        self.archives = FusedArchives(self.bucket, self.fuse)
        self.exports = ExportRepository(self.database)
        self.requests = Exports(self.exports, self.archives, self.queue.send, uuid7, database.clock)

    def items(self, name: str) -> FusedItems:
        return FusedItems(self.names[name], self.dynamodb, self.fuse)

    def put(self, name: str, item: Item) -> None:
        """Put an item of somebody's."""
        Table(self.names[name], self.dynamodb).put(item)

    def maker(self, *, part_bytes: int, elapsed: Callable[[], float] = lambda: 0.0) -> Maker:
        tables = TableRepository(self.database)
        items = {name: self.items(name) for name in ITEMS}
        return Maker(
            self.database, self.exports, tables, items, self.archives, self.queue,  # type: ignore[arg-type]
            elapsed=elapsed, part_bytes=part_bytes,
        )  # fmt: skip

    def loader(self) -> Loader:
        return Loader(self.database, self.exports, TableRepository(self.database), self.archives)

    def eraser(self, *, page: int = 3, elapsed: Callable[[], float] = lambda: 0.0) -> Eraser:
        stores = {f"dynamodb/{name}": self.items(name) for name in TABLES} | {"s3/exports": self.archives}
        tables = TableRepository(self.database)
        return Eraser(
            self.database, ErasureRepository(self.database), stores,
            lambda: [table.name for table in reversed(tables.all())],
            self.forgotten.append, self.queue, self.outbox, elapsed=elapsed, page=page,  # type: ignore[arg-type]
        )  # fmt: skip

    def forget_audit(self, tenant: UUID) -> None:
        """Forget what exports themselves left in the tables that they hold."""
        with self._clone.connect() as admin:
            admin.execute("DELETE FROM audit_log WHERE tenant_id = %s AND action = 'tenant.exported'", (tenant,))

    def remove(self) -> None:
        for found in self.s3.list_objects_v2(Bucket=self.bucket).get("Contents", []):
            self.s3.delete_object(Bucket=self.bucket, Key=found["Key"])
        for found in self.s3.list_multipart_uploads(Bucket=self.bucket).get("Uploads", []):
            self.s3.abort_multipart_upload(Bucket=self.bucket, Key=found["Key"], UploadId=found["UploadId"])
        self.s3.delete_bucket(Bucket=self.bucket)
        for name in self.names.values():
            self._tables.delete_table(TableName=name)
        self.archives.close()
        for client in (self.s3, self._tables, self.dynamodb):
            client.close()
