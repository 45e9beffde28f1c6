"""Rows of the catalog: what others post to the platform, and who works on it."""

from __future__ import annotations

from typing import Final

from infra.permits import SQL, STRIPE
from infra.vocabulary import (
    Access,
    Called,
    Callee,
    Function,
    Http,
    Key,
    Queue,
    QueueConsumer,
    Reach,
    Schedule,
    Secret,
    Setting,
    Table,
    may,
)

POSTED: Final[tuple[Function, ...]] = (
    Function(
        name="inbound",
        purpose="Takes what Stripe, Amazon SES and ad platforms post: verifies it and keeps it in the inbox.",
        triggers=(Http(prefixes=("inbound", "operator/inbox", "operator/mail"), paths=("/api/v1/stripe/events",)),),
        reach=Reach.DATABASE,
        layers=("core", "billing", "federation"),
        permissions=(
            *SQL,
            *STRIPE,
            *may(Access.READ_SECRET, Secret.INBOUND, Secret.OPERATOR, Secret.PEPPER),
            *may(Access.MAKE_DATA_KEY, Key.FIELD),  # bodies are sealed; who takes them cannot open them
            *may(Access.WRITE_TABLE, Table.DATA_KEYS, Table.SUPPRESSIONS),
            *may(Access.SEND, Queue.INBOX),
            *may(Access.CALL, Callee.INBOUND_EGRESS),
        ),
        extra_settings=(Setting.SNS_TOPICS,),
    ),
    Function(
        name="inbox_worker",
        purpose="Works on what is in the inbox, and sweeps up what was left behind.",
        triggers=(
            QueueConsumer(Queue.INBOX, batch_size=10, window_s=0, max_concurrency=10),
            Schedule(minutes=5, local_minutes=1),
        ),
        reach=Reach.DATABASE,
        timeout_s=60,
        permissions=(
            *SQL,
            *may(Access.READ_SECRET, Secret.PEPPER),  # the list of addresses holds keyed hashes
            *may(Access.DECRYPT, Key.FIELD),
            *may(Access.READ_TABLE, Table.DATA_KEYS),
            *may(Access.WRITE_TABLE, Table.SUPPRESSIONS),
            *may(Access.SEND, Queue.INBOX, Queue.BILLING, Queue.BILLING_OUTCOMES),
            *may(Access.CALL, Callee.INBOUND_EGRESS),
        ),
    ),
    Function(
        name="inbound_egress",
        purpose="Fetches certificates of SNS and keys of Google, and confirms subscriptions of SNS.",
        triggers=(Called(),),
        reach=Reach.INTERNET,
        timeout_s=8,
        memory_mb=512,
        layers=("core", "calls"),
        permissions=(),
        extra_settings=(Setting.OUTBOUND_ALLOW, Setting.PLACES_URL),
    ),
)
