"""Stores of one test's own for exports and erasures, and a worker that can be killed at any of its steps."""

import importlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID, uuid4

from local.stack import Stack
from shared.erasure import rules as erased
from shared.erasure.gateway import Mentions
from shared.erasure.repository import ErasureRepository
from shared.erasure.service import Eraser
from shared.exports.gateway.archives import Archives, Uploads
from shared.exports.gateway.items import TenantItems
from shared.exports.repository.exports import ExportRepository
from shared.exports.repository.tables import TableRepository
from shared.exports.rules.contents import ITEMS
from shared.exports.service.imports import Imports
from shared.exports.service.loader import Loader
from shared.exports.service.maker import Maker
from shared.exports.service.requests import Exports
from shared.identity.repository.credentials import CredentialRepository
from shared.identity.repository.factors import FactorRepository
from shared.identity.repository.passkeys import PasskeyRepository
from shared.identity.repository.users import UserRepository
from shared.identity.rules import MAX_PASSKEYS
from shared.identity.service.ways_in import WaysIn
from tenant_context.aws import AwsClient
from tenant_context.clock import uuid7
from tenant_context.context import TenantContext
from tenant_context.dynamo import Item, Table
from tenant_context.entry.queue import Message
from tenant_context.events import Event
from tenant_context.flags import Shelf
from tenant_context.postgres import Database
from tests.conftest import Clone

PEPPER = "a pepper of the drills"
_REDEPLOYED = ("shared.exports", "shared.erasure")


def pepper() -> str:
    """What the drills' archives are sealed with."""
    return PEPPER


class Sandbox(BaseException):
    """The sandbox is gone: no code of ours runs after this."""


class Fuse:
    """Ends the worker at its n-th step: before it does anything, or after and before it can say so."""

    def __init__(self) -> None:
        self.left: int | None = None
        self.after = False
        self.kinds: list[str] = []

    @property
    def steps(self) -> int:
        """How many there were."""
        return len(self.kinds)

    def step(self, do: Callable[[], Any], kind: str = "change") -> Any:
        """One step."""
        self.kinds.append(kind)
        blown = self.left == 0
        if self.left is not None:
            self.left -= 1
        if blown and not self.after:
            raise Sandbox
        done = do()
        if blown:
            raise Sandbox
        return done


def chosen(kinds: list[str]) -> list[int]:
    """The first and the last step of each kind, and some evenly between: where a worker is to die."""
    ends = {place for kind in kinds for place in (kinds.index(kind), len(kinds) - 1 - kinds[::-1].index(kind))}
    return sorted(ends | set(range(0, len(kinds), len(kinds) // 12)))


class FusedArchives(Archives):
    """S3, each change of which is a step."""

    def __init__(self, bucket: str, fuse: Fuse) -> None:
        super().__init__(bucket)
        self._fuse = fuse

    def begin(self, key: str) -> str:
        return str(self._fuse.step(lambda: super(FusedArchives, self).begin(key), "begin"))

    def put_part(self, key: str, upload: str, number: int, content: bytes) -> str:
        return str(self._fuse.step(lambda: super(FusedArchives, self).put_part(key, upload, number, content), "part"))

    def complete(self, key: str, upload: str, etags: Sequence[tuple[int, str]], size: int) -> None:
        self._fuse.step(lambda: super(FusedArchives, self).complete(key, upload, etags, size), "complete")

    def delete(self, keys: Sequence[Any]) -> None:
        self._fuse.step(lambda: super(FusedArchives, self).delete(keys), "delete")

    def give_up(self, key: str, upload: str) -> None:
        self._fuse.step(lambda: super(FusedArchives, self).give_up(key, upload), "give_up")


class FusedItems(TenantItems):
    """DynamoDB, each deletion of which is a step."""

    def __init__(self, table: str, client: AwsClient, fuse: Fuse) -> None:
        super().__init__(table, client)
        self._fuse = fuse

    def delete(self, keys: Sequence[Any]) -> None:
        self._fuse.step(lambda: super(FusedItems, self).delete(keys), "delete")


class FusedShelf(Shelf):
    """Flags, each change of which is a step."""

    def __init__(self, table: Table, fuse: Fuse) -> None:
        super().__init__(table)
        self._fuse = fuse

    def forget(self, name: str, tenant: UUID) -> None:
        self._fuse.step(lambda: super(FusedShelf, self).forget(name, tenant), "flag")


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
                # Who opens it is what tells one kind of step from another.
                fuse.kinds.append(sys._getframe(1).f_code.co_name)
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
    """What was published without a row; each time is a step."""

    def __init__(self, fuse: Fuse) -> None:
        self.events: list[Event] = []
        self.takes = True
        self._fuse = fuse

    def publish(self, _tenant: TenantContext, events: Sequence[Event], _now: object) -> list[Any]:
        """Remember the events; none of them where the bus takes nothing."""
        if not self.takes:
            return []
        self._fuse.step(lambda: self.events.extend(events), "publish")
        return [event.id for event in events]


class Waiting:
    """A queue that keeps what it is sent."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def send(self, messages: Sequence[Message], *, delay_seconds: int = 0) -> None:
        """Keep the messages."""
        del delay_seconds
        self.messages += messages


@dataclass(frozen=True)
class Code:
    """What workers are made of, as some deployment loaded it."""

    maker: type[Maker]
    exports: type[ExportRepository]
    tables: type[TableRepository]
    eraser: type[Eraser]
    erasures: type[ErasureRepository]


class Place:
    """The workers on a database, a bucket and tables of their own."""

    def __init__(self, servers: Stack, database: Database, clone: Clone) -> None:
        self._clone = clone
        self.code = Code(Maker, ExportRepository, TableRepository, Eraser, ErasureRepository)
        suffix = uuid4().hex[:12]
        self.s3, self._tables = servers.client("s3"), servers.client("dynamodb")
        self.bucket = f"exports-{suffix}"
        self.files = f"uploads-{suffix}"
        for bucket in (self.bucket, self.files):
            self.s3.create_bucket(Bucket=bucket)
        self.names = {name: f"{name}-{suffix}" for name in (*erased.ITEMS, "credentials")}
        for name in self.names.values():
            self._tables.create_table(
                TableName=name,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": part, "AttributeType": "S"} for part in ("pk", "sk")],
                KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            )
        self.dynamodb = AwsClient("dynamodb")
        self.fuse, self.queue, self.forgotten = Fuse(), Waiting(), list[Any]()
        self.outbox = Outbox(self.fuse)
        self.database = cast("Any", FusedDatabase(database, self.fuse))
        self.archives, self.uploaded = FusedArchives(self.bucket, self.fuse), FusedArchives(self.files, self.fuse)
        self.exports = ExportRepository(self.database)
        self.tables = TableRepository(self.database)
        factors = FactorRepository(Table(self.names["credentials"], self.dynamodb))
        self.imports = Imports(self.exports, self.queue.send, WaysIn(UserRepository(self.database), factors).check)
        self.requests = Exports(self.exports, self.archives, self.queue.send, uuid7, database.clock)

    def items(self, name: str) -> FusedItems:
        return FusedItems(self.names[name], self.dynamodb, self.fuse)

    def put(self, name: str, item: Item) -> None:
        """Put an item of somebody's."""
        Table(self.names[name], self.dynamodb).put(item)

    @property
    def flags(self) -> FusedShelf:
        """Where flags are kept."""
        return FusedShelf(Table(self.names["revocations"], self.dynamodb), self.fuse)

    def maker(self, *, part_bytes: int, elapsed: Callable[[], float] = lambda: 0.0) -> Maker:
        tables = self.code.tables(self.database)
        items = {name: self.items(name) for name in ITEMS}
        return self.code.maker(
            self.database, self.code.exports(self.database), tables, items, self.archives, self.queue,  # type: ignore[arg-type]
            elapsed=elapsed, part_bytes=part_bytes, pepper=pepper,
        )  # fmt: skip

    def loader(self, *, elapsed: Callable[[], float] = lambda: 0.0) -> Loader:
        tables = TableRepository(self.database)
        return Loader(
            self.database, self.exports, tables, self.archives, self.queue, elapsed=elapsed, pepper=pepper,  # type: ignore[arg-type]
        )  # fmt: skip

    def eraser(self, *, page: int = 3, elapsed: Callable[[], float] = lambda: 0.0) -> Eraser:
        credentials = Table(self.names["credentials"], self.dynamodb)
        people = CredentialRepository(FactorRepository(credentials), PasskeyRepository(credentials, MAX_PASSKEYS))

        def forget(user: UUID) -> None:
            self.fuse.step(lambda: people.forget(user), "forget")
            self.forgotten.append(user)

        tables = self.code.tables(self.database)
        return self.code.eraser(
            self.database, self.code.erasures(self.database),
            erased.stores_of(
                self.items, Mentions(self.flags), (Uploads(self.archives), self.archives),
                (Uploads(self.uploaded), self.uploaded),
            ),
            lambda: [table.name for table in reversed(tables.all())],
            forget, self.queue, self.outbox, elapsed=elapsed, page=page,  # type: ignore[arg-type]
        )  # fmt: skip

    def loaded_anew(self) -> None:
        """A deployment: from now on workers are of modules that share nothing with those before."""
        before = {name: module for name, module in sys.modules.items() if name.startswith(_REDEPLOYED)}
        for name in before:
            del sys.modules[name]
        try:
            made = Code(
                importlib.import_module("shared.exports.service.maker").Maker,
                importlib.import_module("shared.exports.repository.exports").ExportRepository,
                importlib.import_module("shared.exports.repository.tables").TableRepository,
                importlib.import_module("shared.erasure.service").Eraser,
                importlib.import_module("shared.erasure.repository").ErasureRepository,
            )
        finally:
            sys.modules.update(before)
        assert made.maker is not Maker
        self.code = made

    def forget_audit(self, tenant: UUID) -> None:
        """Forget what exports themselves left in the tables that they hold."""
        with self._clone.connect() as admin:
            admin.execute(
                "DELETE FROM audit_log WHERE tenant_id = %s AND action IN ('tenant.exported', 'tenant.imported')",
                (tenant,),
            )

    def remove(self) -> None:
        for bucket in (self.bucket, self.files):
            for found in self.s3.list_objects_v2(Bucket=bucket).get("Contents", []):
                self.s3.delete_object(Bucket=bucket, Key=found["Key"])
            for found in self.s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []):
                self.s3.abort_multipart_upload(Bucket=bucket, Key=found["Key"], UploadId=found["UploadId"])
            self.s3.delete_bucket(Bucket=bucket)
        for name in self.names.values():
            self._tables.delete_table(TableName=name)
        self.archives.close()
        for client in (self.s3, self._tables, self.dynamodb):
            client.close()
