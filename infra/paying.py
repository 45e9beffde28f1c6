"""Rows of the catalog: what deals with Stripe, and what tenants owe by their use."""

from __future__ import annotations

from typing import Final

from infra.permits import EVENTS, SQL, STRIPE, TOKENS
from infra.vocabulary import (
    Access,
    Called,
    Callee,
    Function,
    Http,
    Queue,
    QueueConsumer,
    Reach,
    Setting,
    Table,
    may,
)

PAYING: Final[tuple[Function, ...]] = (
    Function(
        name="billing_provisioner",
        purpose="Does what waits for Stripe: sign-ups, cards that were given, ends, states in doubt; and reports it.",
        triggers=(QueueConsumer(Queue.BILLING, batch_size=5, window_s=0, max_concurrency=5),),
        reach=Reach.INTERNET,
        timeout_s=60,
        memory_mb=512,
        layers=("core", "billing"),
        permissions=(*STRIPE, *may(Access.SEND, Queue.BILLING_OUTCOMES)),
        extra_settings=(Setting.STRIPE_URL,),
    ),
    Function(
        name="billing_outcomes",
        purpose="Writes what Stripe said into the tenant's billing state, and has Stripe told of a tenant's end.",
        triggers=(QueueConsumer(Queue.BILLING_OUTCOMES, batch_size=10, window_s=0, max_concurrency=5),),
        reach=Reach.DATABASE,
        timeout_s=30,
        memory_mb=512,
        permissions=(
            *SQL,
            *may(Access.WRITE_TABLE, Table.REVOCATIONS),
            *may(Access.SEND, Queue.BILLING, Queue.MAILS),
            *EVENTS,
        ),
    ),
    Function(
        name="billing",
        purpose="Plans, invoices, cards and usage, as owners see and change them.",
        triggers=(Http(prefixes=("billing",)),),
        reach=Reach.DATABASE,
        timeout_s=28,
        permissions=(
            *SQL,
            *TOKENS,
            *may(Access.WRITE_TABLE, Table.REVOCATIONS),
            *may(Access.CALL, Callee.BILLING_EGRESS),
            *EVENTS,
        ),
    ),
    Function(
        name="billing_egress",
        purpose="Asks Stripe on behalf of whoever waits for its answer.",
        triggers=(Called(),),
        reach=Reach.INTERNET,
        timeout_s=25,
        memory_mb=512,
        layers=("core", "billing"),
        permissions=STRIPE,
        extra_settings=(Setting.STRIPE_URL,),
    ),
    Function(
        name="usage_recorder",
        purpose="Writes what was used into the ledger.",
        triggers=(QueueConsumer(Queue.USAGE, batch_size=10, window_s=0, max_concurrency=5),),
        reach=Reach.DATABASE,
        timeout_s=30,
        memory_mb=512,
        permissions=SQL,
    ),
)
