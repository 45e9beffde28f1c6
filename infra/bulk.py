"""Rows of the catalog: the doors of counts and receipts, by pushes and by files."""

from __future__ import annotations

from typing import Final

from infra.permits import EVENTS, RATES, SQL, TOKENS
from infra.vocabulary import Access, Bucket, Function, Http, Queue, QueueConsumer, Reach, Secret, Table, may

BULK: Final[tuple[Function, ...]] = (
    Function(
        name="sensors_ingest",
        purpose="Takes counts and transactions from devices, validates every row and queues the good ones.",
        triggers=(Http(prefixes=("ingest",)),),
        reach=Reach.NEITHER,
        permissions=(
            *RATES,
            *may(Access.READ_TABLE, Table.DEVICES, Table.REVOCATIONS),  # the states of keys' tenants
            *may(Access.WRITE_TABLE, Table.API_KEYS),  # when a key was last used
            *may(Access.READ_SECRET, Secret.PEPPER),
            *may(Access.SEND, Queue.COUNTS, Queue.TRANSACTIONS, Queue.USAGE),
        ),
    ),
    Function(
        name="uploads",
        purpose="Files of counts and receipts: announced, put into S3 by signed addresses, followed, cancelled.",
        triggers=(Http(prefixes=("ingest/uploads",)),),
        reach=Reach.DATABASE,
        permissions=(
            *SQL,
            *TOKENS,
            *may(Access.SEND, Queue.UPLOADS),
            *may(Access.WRITE_OBJECTS, Bucket.UPLOADS),  # whoever signs an address must hold what it gives
            *may(Access.LIST_OBJECTS, Bucket.UPLOADS),
            *EVENTS,
        ),
    ),
    Function(
        name="upload_worker",
        purpose="Reads files of counts and receipts, and queues their rows.",
        triggers=(QueueConsumer(Queue.UPLOADS, batch_size=1, window_s=0, max_concurrency=5),),
        reach=Reach.DATABASE,
        timeout_s=300,
        permissions=(
            *SQL,
            *RATES,  # rows are held to the plan's day
            *may(Access.READ_TABLE, Table.DEVICES),
            *may(Access.WRITE_OBJECTS, Bucket.UPLOADS),
            *may(Access.SEND, Queue.UPLOADS, Queue.COUNTS, Queue.TRANSACTIONS),
            *EVENTS,
        ),
    ),
)
