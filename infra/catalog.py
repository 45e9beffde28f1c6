"""Every function of the platform, one row each: what starts it, what it reaches and exactly what it may do.

The stacks build functions, permissions, settings, queues and routes from these rows; tests hold the
synthesized template to them. Nothing here imports the CDK, so tools and tests read it for free.
"""

from __future__ import annotations

from typing import Final

from infra.bulk import BULK
from infra.leaving import LEAVING
from infra.paying import PAYING
from infra.permits import EVENTS, SQL, TOKENS
from infra.posted import POSTED
from infra.stores import STORES
from infra.vocabulary import (
    Access,
    Bell,
    Called,
    Callee,
    CustomResource,
    Function,
    Http,
    Key,
    Permission,
    Queue,
    QueueConsumer,
    Reach,
    Schedule,
    Secret,
    Setting,
    Table,
    may,
)

API_PREFIXES: Final = ("/api/v1", "/api")
"""Where every HTTP prefix is reachable; without a version in the path, X-API-Version decides."""

LATE_S: Final = 60
"""Seconds: as late as an attempt that was planned for later may be."""
EVENT_LATE_S: Final = 300
"""Seconds: what a function could not publish itself comes by the relay, within two minutes."""

FUNCTIONS: Final[tuple[Function, ...]] = (
    Function(
        name="auth",
        purpose="Sign-up, log-in, tokens, sessions and API keys.",
        triggers=(
            Http(
                prefixes=("auth", "api-keys"),
                paths=("/.well-known/jwks.json", "/.well-known/openid-configuration"),
            ),
        ),
        reach=Reach.DATABASE,
        memory_mb=1769,  # one whole processor: Argon2 decides how long a log-in takes
        timeout_s=15,
        layers=("core", "identity"),
        permissions=(
            *SQL,
            *may(Access.SIGN, Key.SIGNING),
            *TOKENS,
            *may(
                Access.WRITE_TABLE,
                Table.SESSIONS,
                Table.REVOCATIONS,
                Table.CREDENTIALS,
                Table.TICKETS,
                Table.SUPPRESSIONS,  # goes with an account
            ),
            *may(Access.ENCRYPT, Key.FIELD),
            *may(Access.DECRYPT, Key.FIELD),
            *may(Access.SEND, Queue.MAILS),
            *may(Access.CALL, Callee.IDENTITY_EGRESS),
            *EVENTS,
        ),
        extra_settings=(
            Setting.TRIES_PER_ADDRESS,
            Setting.RP_ID,
            Setting.RP_ORIGINS,
            Setting.ARGON2_TIME_COST,
            Setting.ARGON2_MEMORY_KIB,
            Setting.ARGON2_LANES,
        ),
    ),
    Function(
        name="identity_egress",
        purpose="Asks identity providers, DNS and the list of breached passwords.",
        triggers=(Called(),),
        reach=Reach.INTERNET,
        timeout_s=12,
        memory_mb=512,
        layers=("core", "federation", "calls"),
        permissions=(*may(Access.DECRYPT, Key.FIELD), *may(Access.READ_TABLE, Table.DATA_KEYS)),
        extra_settings=(Setting.OUTBOUND_ALLOW, Setting.BREACHES_URL, Setting.DNS_SERVER),
    ),
    Function(
        name="mailer",
        purpose="Sends mails to people.",
        triggers=(QueueConsumer(Queue.MAILS, batch_size=10, window_s=0, max_concurrency=5),),
        reach=Reach.INTERNET,
        timeout_s=30,
        memory_mb=512,
        permissions=(
            *may(Access.SEND_MAIL),
            *may(Access.READ_TABLE, Table.SUPPRESSIONS),
            *may(Access.READ_SECRET, Secret.PEPPER),  # the list holds keyed hashes
        ),
        extra_settings=(Setting.MAIL_FROM,),
    ),
    Function(
        name="tenants",
        purpose="Organizations, their members, plans and limits.",
        triggers=(Http(prefixes=("organizations", "operator", "public")),),
        reach=Reach.DATABASE,
        permissions=(
            *SQL,
            *TOKENS,
            *may(Access.WRITE_TABLE, Table.SESSIONS, Table.REVOCATIONS),  # whoever goes is logged out
            *may(Access.WRITE_TABLE, Table.TICKETS),  # invitations
            *may(Access.SEND, Queue.MAILS),
            *may(Access.CALL, Callee.IDENTITY_EGRESS),
            *may(Access.MAKE_DATA_KEY, Key.FIELD),  # the secret at an identity provider
            *may(Access.WRITE_TABLE, Table.DATA_KEYS),
            *may(Access.READ_SECRET, Secret.OPERATOR),
            *EVENTS,
        ),
        extra_settings=(Setting.TRIES_PER_ADDRESS, Setting.BASE_DOMAIN),
    ),
    Function(
        name="campaigns",
        purpose="Campaigns and their life cycle.",
        triggers=(Http(prefixes=("campaigns",)),),
        reach=Reach.DATABASE,
        permissions=(*SQL, *TOKENS, *EVENTS),
    ),
    *STORES,
    Function(
        name="webhooks_api",
        purpose="Webhook endpoints, their secrets, attempts and replays.",
        triggers=(Http(prefixes=("webhooks", "events")),),
        reach=Reach.DATABASE,
        permissions=(
            *SQL,
            *TOKENS,
            *may(Access.MAKE_DATA_KEY, Key.FIELD),
            *may(Access.WRITE_TABLE, Table.DATA_KEYS, Table.DELIVERIES),
            *may(Access.SEND, Queue.DELIVERIES),
            *EVENTS,
        ),
        extra_settings=(Setting.OUTBOUND_ALLOW, Setting.OWN_ADDRESSES),
    ),
    Function(
        name="webhooks_fanout",
        purpose="Turns one domain event into a delivery for each endpoint that asked for it.",
        triggers=(QueueConsumer(Queue.WEBHOOK_EVENTS, batch_size=10, window_s=0, max_concurrency=10),),
        reach=Reach.DATABASE,
        timeout_s=30,
        permissions=(
            *SQL,
            *may(Access.WRITE_TABLE, Table.DELIVERIES),
            *may(Access.INSERT_MANY, Table.DELIVERIES),  # an event's deliveries
            *may(Access.SEND, Queue.DELIVERIES, Queue.SLOW_DELIVERIES),
            *may(Access.SEND, Queue.WEBHOOK_EVENTS),  # a crowd of one tenant's events goes to the end of the line
            *may(Access.SEND, Queue.MAILS),  # owners are told of endpoints that fail
        ),
        extra_settings=(Setting.PUBLIC_URL,),
        bells=(
            Bell(
                "EventLag",
                "webhooks.fan_out",
                EVENT_LATE_S,
                "Events come to their webhook endpoints' queue more than five minutes after what they tell of.",
            ),
        ),
    ),
    Function(
        name="webhooks_dispatcher",
        purpose="Makes the signed HTTPS call to a receiver, plans the next attempt, and challenges new URLs.",
        triggers=(
            QueueConsumer(Queue.DELIVERIES, batch_size=10, window_s=0, max_concurrency=50),
            QueueConsumer(Queue.SLOW_DELIVERIES, batch_size=10, window_s=0, max_concurrency=25),
        ),
        reach=Reach.INTERNET,
        timeout_s=60,
        layers=("core", "calls"),
        permissions=(
            *may(Access.WRITE_TABLE, Table.DELIVERIES),
            *may(Access.UPDATE_MANY, Table.DELIVERIES),  # claims and ends of a batch
            *may(Access.INSERT_MANY, Table.DELIVERIES),  # parts of an event for very many endpoints
            *may(Access.READ_TABLE, Table.DATA_KEYS, Table.REVOCATIONS),  # the states of tenants
            *may(Access.DECRYPT, Key.FIELD),
            *may(Access.SEND, Queue.DELIVERIES, Queue.SLOW_DELIVERIES, Queue.USAGE),
            *EVENTS,  # an endpoint's owner is told that it fails
        ),
        extra_settings=(Setting.OUTBOUND_ALLOW, Setting.OWN_ADDRESSES),
        bells=(
            Bell(
                "AttemptLateness",
                "webhooks.deliver",
                LATE_S,
                "Attempts at webhooks that were planned for later are made more than a minute late.",
            ),
        ),
    ),
    Function(
        name="webhooks_sweeper",
        purpose="Queues what is due of the attempts that were planned for later than a queue can hold them back.",
        triggers=(Schedule(minutes=1),),
        reach=Reach.NEITHER,
        timeout_s=55,
        memory_mb=512,
        permissions=(
            *may(Access.WRITE_TABLE, Table.DELIVERIES),
            *may(Access.UPDATE_MANY, Table.DELIVERIES),  # what was queued leaves the index
            *may(Access.SEND, Queue.DELIVERIES),
        ),
        bells=(
            Bell(
                "SweepLateness",
                "webhooks_sweeper.sweep",
                LATE_S,
                "The sweep of due attempts runs late, or cannot keep up with what is due.",
            ),
        ),
    ),
    Function(
        name="outbox_relay",
        purpose="Publishes outbox rows that a function committed but could not publish itself.",
        triggers=(Schedule(minutes=1),),
        reach=Reach.DATABASE,
        timeout_s=50,
        memory_mb=512,
        permissions=(*SQL, *EVENTS),
        bells=(
            Bell(
                "RefusedEvents",
                "outbox_relay.sweep",
                0,
                "The bus refuses an event for good: nobody is told of what happened. Read it, and mend what makes it.",
            ),
            Bell(
                "OutboxOldestSeconds",
                "outbox_relay.sweep",
                EVENT_LATE_S,
                "What happened more than five minutes ago is not published: is the bus down, or the relay too slow?",
            ),
        ),
    ),
    Function(
        name="scheduled_refreshes",
        purpose="Plans the timed work: an item for each tenant with some, so that a slow tenant delays no other.",
        triggers=(Schedule(minutes=15, local_minutes=1),),
        reach=Reach.DATABASE,
        timeout_s=60,
        memory_mb=512,
        layers=("core", "dynamo"),
        permissions=(*SQL, *may(Access.SEND, Queue.REFRESHES), *may(Access.WRITE_TABLE, Table.LEASES)),
    ),
    Function(
        name="refresh_worker",
        purpose="Does one tenant's timed work item.",
        triggers=(QueueConsumer(Queue.REFRESHES, batch_size=1, window_s=0, max_concurrency=10),),
        reach=Reach.DATABASE,
        timeout_s=300,
        permissions=(
            *SQL,
            *may(Access.WRITE_TABLE, Table.DEVICES, Table.REVOCATIONS),
            *may(Access.SEND, Queue.BILLING, Queue.MAILS),
            *may(Access.CALL, Callee.BILLING_EGRESS),
            *EVENTS,
        ),
    ),
    Function(
        name="jobs",
        purpose="Shows timed work and starts it by hand.",
        triggers=(Http(prefixes=("jobs",)),),
        reach=Reach.DATABASE,
        permissions=(*SQL, *TOKENS, *may(Access.SEND, Queue.REFRESHES), *EVENTS),
    ),
    *BULK,
    *LEAVING,
    *PAYING,
    *POSTED,
    Function(
        name="service",
        purpose="Health, readiness, metrics, API description, and the 404 for every unknown address.",
        triggers=(
            Http(
                paths=(
                    "/health",
                    "/ready",
                    "/health/detailed",
                    "/metrics",
                    "/docs",
                    "/docs/{proxy+}",
                    "/openapi.json",
                    "/api/v1/docs",
                    "/api/v1/docs/{proxy+}",
                    "/api/v1/openapi.json",
                ),
                default=True,
            ),
        ),
        reach=Reach.DATABASE,
        permissions=(*SQL, *may(Access.READ_SECRET, Secret.OPERATOR)),
        holds_api_page=True,
    ),
    Function(
        name="key_rotation",
        purpose="Makes the keys that sign access tokens, and retires them; nobody is logged out by it.",
        triggers=(Schedule(minutes=24 * 60, local_minutes=2), CustomResource()),
        reach=Reach.NEITHER,
        timeout_s=120,
        memory_mb=512,
        permissions=(
            *may(Access.MAKE_KEY, Key.SIGNING),
            *may(Access.TAG_KEY, Key.SIGNING),
            *may(Access.TEND_KEY, Key.SIGNING),
            *may(Access.WRITE_TABLE, Table.SIGNING_KEYS),
            *may(Access.WRITE_TABLE, Table.REVOCATIONS),  # keys that end at once
        ),
        extra_settings=(Setting.KEYS_ROTATE_AFTER, Setting.KEYS_PUBLISH_FOR, Setting.KEYS_OVERLAP),
    ),
    Function(
        name="migrations",
        purpose="Brings the database's schema up to date, once per deploy, before functions that need it.",
        triggers=(CustomResource(),),
        reach=Reach.DATABASE,
        timeout_s=840,
        memory_mb=512,
        layers=("core", "migrations"),
        permissions=may(Access.READ_SECRET, Secret.DATABASE_OWNER),
    ),
)

KERNEL_LAYER: Final = "tenant_context"
"""The layer of our own that every function has; the rows list only the dependency layers beside it."""


def function(name: str) -> Function:
    """The row of one function; KeyError names an unknown one."""
    return _BY_NAME[name]


def consumers() -> dict[Queue, Function]:
    """Which function empties each queue; every queue has exactly one."""
    return {trigger.queue: row for row in FUNCTIONS for trigger in row.triggers if isinstance(trigger, QueueConsumer)}


def http_functions() -> tuple[Function, ...]:
    """The functions behind the HTTP API."""
    return tuple(row for row in FUNCTIONS if row.has(Http))


def routes(row: Function) -> tuple[str, ...]:
    """The gateway's route keys for a function: every method, so that the function itself answers 405."""
    keys: list[str] = []
    for trigger in row.triggers:
        if not isinstance(trigger, Http):
            continue
        for prefix in trigger.prefixes:
            for base in API_PREFIXES:
                keys += [f"ANY {base}/{prefix}", f"ANY {base}/{prefix}/{{proxy+}}"]
        keys += [f"ANY {path}" for path in trigger.paths]
        if trigger.default:
            keys.append("$default")
    return tuple(keys)


def layer_names() -> tuple[str, ...]:
    """Every layer that some function uses, the kernel first, in a fixed order."""
    dependency_layers = sorted({layer for row in FUNCTIONS for layer in row.layers})
    return (KERNEL_LAYER, *dependency_layers)


def holders(access: Access, resource: object = None) -> tuple[Function, ...]:
    """The functions that hold a permission; without a resource, on any resource."""
    return tuple(
        row for row in FUNCTIONS if any(p.access is access and resource in (None, p.resource) for p in row.permissions)
    )


def permissions_of(row: Function) -> tuple[Permission, ...]:
    """What a function may do on the platform's own resources, the consuming of its queues included."""
    consumed = (
        Permission(Access.CONSUME, trigger.queue) for trigger in row.triggers if isinstance(trigger, QueueConsumer)
    )
    return (*row.permissions, *consumed)


_BY_NAME: Final = {row.name: row for row in FUNCTIONS}
