"""One export or erasure in a process of its own: `python -m bench.peers.lifetime export|erase TENANT`."""

import json
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import boto3

from shared.erasure.repository import ErasureRepository
from shared.erasure.service import Eraser
from shared.exports.gateway.archives import Archives, key_of
from shared.exports.model import ExportId
from shared.exports.repository.exports import ExportRepository
from shared.exports.repository.tables import TableRepository
from shared.exports.service.maker import Maker
from tenant_context.clock import utc_now, uuid7
from tenant_context.context import TenantContext, from_message
from tenant_context.entry.queue import Message
from tenant_context.events import Event
from tenant_context.postgres import Database
from tenant_context.settings import DatabaseSettings


class Nothing:
    """A table without items, a queue that is never sent to, a bus that takes all."""

    def read(self, _tenant: UUID, _after: Any) -> tuple[list[Any], Any]:
        """Read nothing."""
        return [], None

    def publish(self, _tenant: TenantContext, events: Sequence[Event], _now: datetime) -> list[UUID]:
        """Take the events."""
        return [event.id for event in events]


def export(database: Database, tenant: TenantContext) -> None:
    """Make the tenant's archive."""
    s3, bucket = boto3.client("s3"), f"bench-{uuid4().hex[:12]}"
    s3.create_bucket(Bucket=bucket)
    exports, archives, none = ExportRepository(database), Archives(bucket), Nothing()
    made = ExportId(uuid7())
    key = key_of(tenant.tenant, made)
    with database.transaction(tenant) as tx:
        exports.add(tx, made, "export", key)
    items: Any = dict.fromkeys(("api_keys", "deliveries", "devices"), none)
    queue: Any = none
    maker = Maker(database, exports, TableRepository(database), items, archives, queue, elapsed=lambda: 0.0, pepper=str)
    maker.make(tenant, Message(tenant.tenant, "bench", "export", {"export": str(made)}))
    archives.remove(tenant.tenant, key)
    s3.delete_bucket(Bucket=bucket)


def erase(database: Database, tenant: TenantContext) -> None:
    """Erase the tenant."""
    tables, none = TableRepository(database), Nothing()
    queue: Any = none
    eraser = Eraser(
        database,
        ErasureRepository(database),
        {},
        lambda: [table.name for table in reversed(tables.all())],
        lambda _user: None,
        queue,
        none,
        elapsed=lambda: 0.0,
    )
    eraser.erase(tenant, Message(tenant.tenant, "bench", "erase", {}))


def main() -> None:
    """Do it and tell how long it took and how much memory."""
    what, tenant = sys.argv[1:]
    database = Database(DatabaseSettings.load(), clock=utc_now)
    begun = time.perf_counter()
    {"export": export, "erase": erase}[what](database, from_message(UUID(tenant), "bench"))
    seconds = time.perf_counter() - begun
    database.close()
    # Not getrusage, whose peak begins with that of the process that started this one.
    told = Path("/proc/self/status").read_text(encoding="ascii")
    peak = int(told.partition("VmHWM:")[2].split()[0]) / 1024
    print(json.dumps({"seconds": seconds, "peak_mb": peak}))


if __name__ == "__main__":
    main()
