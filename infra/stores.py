"""Rows of the catalog: stores, what is counted in them, and what comes of it."""

from __future__ import annotations

from typing import Final

from infra.permits import EVENTS, SQL, TOKENS
from infra.vocabulary import Access, Function, Http, Queue, QueueConsumer, Reach, Table, may

STORES: Final[tuple[Function, ...]] = (
    Function(
        name="sites",
        purpose="Stores, their sensors and metrics, what those are worth, what they are to be, and alerts.",
        layers=("core", "tables"),
        triggers=(
            Http(
                prefixes=(
                    "sites",
                    "sensors",
                    "metrics",
                    "occupancy",
                    "ingest/batches",
                    "ingest/rejected",
                    "quality",
                    "alerts",
                    "targets",
                )
            ),
        ),
        reach=Reach.DATABASE,
        permissions=(*SQL, *TOKENS, *may(Access.WRITE_TABLE, Table.DEVICES, Table.ANSWERS), *EVENTS),
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
