"""Rows of the catalog: what a tenant takes along, and what is done when it has gone."""

from __future__ import annotations

from typing import Final

from infra.permits import EVENTS, SQL, TOKENS
from infra.vocabulary import Access, Bucket, Function, Http, Queue, QueueConsumer, Reach, Schedule, Secret, Table, may

_WITH_TENANTS_ITEMS: Final = (
    Table.ANSWERS,
    Table.API_KEYS,
    Table.DATA_KEYS,
    Table.DELIVERIES,
    Table.DEVICES,
    Table.RATES,
    Table.REVOCATIONS,
    Table.SESSIONS,
    Table.SUPPRESSIONS,
    Table.TICKETS,
)

LEAVING: Final[tuple[Function, ...]] = (
    Function(
        name="exports",
        purpose="Archives of everything a tenant has: asked for, followed, loaded down; what was erased.",
        triggers=(Http(prefixes=("exports", "imports", "operator/erasures", "operator/imports")),),
        reach=Reach.DATABASE,
        permissions=(
            *SQL,
            *TOKENS,
            *may(Access.SEND, Queue.EXPORTS),
            *may(Access.READ_SECRET, Secret.OPERATOR),
            *may(Access.READ_TABLE, Table.CREDENTIALS),  # whether a caller has a second factor
            *may(Access.READ_OBJECTS, Bucket.EXPORTS),  # whoever signs an address must hold what it gives
        ),
    ),
    Function(
        name="export_worker",
        purpose="Makes archives of tenants, and fills tenants from them.",
        triggers=(QueueConsumer(Queue.EXPORTS, batch_size=1, window_s=0, max_concurrency=5),),
        reach=Reach.DATABASE,
        timeout_s=300,
        permissions=(
            *SQL,
            *may(Access.SCAN_TABLE, Table.API_KEYS, Table.DELIVERIES, Table.DEVICES),
            *may(Access.WRITE_OBJECTS, Bucket.EXPORTS),
            *may(Access.LIST_OBJECTS, Bucket.EXPORTS),
            *may(Access.SEND, Queue.EXPORTS),  # what one run has no time for
            *may(Access.READ_SECRET, Secret.PEPPER),  # archives are sealed
            *EVENTS,
        ),
    ),
    Function(
        name="erasure",
        purpose="Erases tenants that are closed.",
        triggers=(
            Schedule(minutes=60, local_minutes=5),
            QueueConsumer(Queue.ERASURES, batch_size=1, window_s=0, max_concurrency=2),
        ),
        reach=Reach.DATABASE,
        timeout_s=300,
        permissions=(
            *SQL,
            *may(Access.SCAN_TABLE, *_WITH_TENANTS_ITEMS),
            *may(Access.WRITE_TABLE, *_WITH_TENANTS_ITEMS, Table.CREDENTIALS),
            *may(Access.WRITE_OBJECTS, *Bucket),
            *may(Access.LIST_OBJECTS, *Bucket),
            *may(Access.SEND, Queue.ERASURES),
            *EVENTS,
        ),
    ),
)
