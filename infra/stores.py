"""Rows of the catalog: stores, what is counted in them, and what comes of it."""

from __future__ import annotations

from typing import Final

from infra.permits import EVENTS, SQL, TOKENS
from infra.vocabulary import Access, Function, Http, Queue, QueueConsumer, Reach, Table, may

STORES: Final[tuple[Function, ...]] = (
    Function(
        name="sites",
        purpose="Stores, their sensors, and what became of what was pushed.",
        layers=("core",),
        triggers=(Http(prefixes=("sites", "sensors", "ingest/batches", "ingest/rejected")),),
        reach=Reach.DATABASE,
        permissions=(*SQL, *TOKENS, *may(Access.WRITE_TABLE, Table.DEVICES), *EVENTS),
    ),
    Function(
        name="analytics",
        purpose="What was measured in stores, what that is worth, what it is to be, and alerts.",
        layers=("core", "tables"),
        triggers=(
            Http(
                prefixes=(
                    "metrics",
                    "occupancy",
                    "quality",
                    "alerts",
                    "targets",
                    "sites/{site_id}/metrics",
                    "sites/{site_id}/occupancy",
                    "sites/{site_id}/capacity",
                    "sites/{site_id}/transactions",
                    "sensors/{sensor_id}/quality",
                )
            ),
        ),
        reach=Reach.DATABASE,
        permissions=(*SQL, *TOKENS, *may(Access.WRITE_TABLE, Table.ANSWERS), *EVENTS),
    ),
    Function(
        name="sensors_processor",
        purpose="Writes queued people counts and the rollups they touch.",
        triggers=(QueueConsumer(Queue.COUNTS, batch_size=100, window_s=1, max_concurrency=20),),
        reach=Reach.DATABASE,
        timeout_s=60,
        permissions=(*SQL, *EVENTS),
    ),
    Function(
        name="tills_processor",
        purpose="Writes queued till transactions and the rollups they touch.",
        triggers=(QueueConsumer(Queue.TRANSACTIONS, batch_size=100, window_s=1, max_concurrency=20),),
        reach=Reach.DATABASE,
        timeout_s=60,
        permissions=(*SQL, *EVENTS),
    ),
)
