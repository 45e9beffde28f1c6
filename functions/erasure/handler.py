"""Wires the erasure function: its schedule queues the tenants that are due, its queue erases one at a time."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from shared.erasure.gateway import Mentions
from shared.erasure.repository import ErasureRepository
from shared.erasure.rules import stores_of
from shared.erasure.service import Eraser
from shared.exports.gateway.archives import Archives, Uploads
from shared.exports.gateway.items import TenantItems
from shared.exports.repository.tables import TableRepository
from shared.identity.repository.credentials import CredentialRepository
from shared.identity.repository.factors import FactorRepository
from shared.identity.repository.passkeys import PasskeyRepository
from shared.identity.rules import MAX_PASSKEYS
from shared.mail.repository import Suppressions
from tenant_context.aws import AwsClient
from tenant_context.bus import Bus, OutboxPublisher
from tenant_context.dynamo import Table
from tenant_context.entry.queue import QueueEntry
from tenant_context.entry.schedule import ScheduleEntry
from tenant_context.flags import Shelf
from tenant_context.kernel import Kernel
from tenant_context.queues import Queue
from tenant_context.settings import Settings


@dataclass(frozen=True)
class ErasureSettings(Settings):
    """What this function needs beside the common settings."""

    bus: str
    queue_erasures: str
    bucket_exports: str
    bucket_uploads: str
    table_answers: str
    table_api_keys: str
    table_credentials: str
    table_data_keys: str
    table_deliveries: str
    table_devices: str
    table_rates: str
    table_revocations: str
    table_sessions: str
    table_suppressions: str
    table_tickets: str


kernel = Kernel("erasure")
settings = ErasureSettings.load()
database = kernel.database()
dynamodb = AwsClient("dynamodb")
credentials = Table(settings.table_credentials, dynamodb)
suppressions = Suppressions(Table(settings.table_suppressions, dynamodb))
people = CredentialRepository(
    FactorRepository(credentials), PasskeyRepository(credentials, MAX_PASSKEYS), suppressions.forget
)
archives, files = Archives(settings.bucket_exports), Archives(settings.bucket_uploads)
flags = Mentions(Shelf(Table(settings.table_revocations, dynamodb)))
stores = stores_of(
    lambda name: TenantItems(getattr(settings, f"table_{name}"), dynamodb),
    flags,
    (Uploads(archives), archives),
    (Uploads(files), files),
)
tables = TableRepository(database)


def referring_first() -> list[str]:
    """The tables of tenants, those that refer to others before those."""
    return [table.name for table in reversed(tables.all())]


def forget_person(user: UUID) -> None:
    """Take away what a person proves themselves by."""
    people.forget(user)


eraser = Eraser(
    database,
    ErasureRepository(database),
    stores,
    referring_first,
    forget_person,
    Queue(settings.queue_erasures),
    OutboxPublisher(Bus(settings.bus), kernel.observability),
)
_timed = ScheduleEntry(eraser.start, name="erasure", observability=kernel.observability)
_queued = QueueEntry(eraser.erase, observability=kernel.observability)


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """A batch of the queue, or the schedule's call."""
    return _queued(event, context) if "Records" in event else _timed(event, context)
