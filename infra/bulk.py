"""Rows of the catalog: files of counts and receipts."""

from __future__ import annotations

from typing import Final

from infra.permits import EVENTS, RATES, SQL, TOKENS
from infra.vocabulary import Access, Bucket, Function, Http, Queue, QueueConsumer, Reach, Table, may

BULK: Final[tuple[Function, ...]] = (
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
