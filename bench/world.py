"""The world every contestant works in: servers of its own, a migrated database of its own, two tenants, one token."""

import importlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any, Final, LiteralString, Self
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import psycopg
from psycopg import sql

from functions.migrations.runner import migrate
from local import stack as local_stack
from local.instance import BENCH, Instance
from local.rings import publish
from local.stack import Stack
from shared.identity.gateway.tokens import TokenSigner
from tenant_context.clock import utc_now, uuid7
from tenant_context.dynamo import Table as DynamoTable
from tenant_context.key_ring import KeyRing
from tenant_context.permissions import ROLES
from tenant_context.plans import Rate

ISSUER = "https://api.example.com"
AUDIENCE = "rmap"
HOUR = 3600

_SEED: LiteralString = """
    WITH made AS (SELECT %(tenant)s::uuid AS tenant_id, %(user)s::uuid AS user_id, now() AS at),
    tenant AS (
        INSERT INTO tenants (tenant_id, slug, name, plan, created_at, updated_at)
        SELECT tenant_id, %(slug)s, %(slug)s, 'enterprise', at, at FROM made),
    person AS (
        INSERT INTO users (user_id, email, name, password_hash, created_at, updated_at)
        SELECT user_id, 'owner@' || %(slug)s || '.example', 'Owner', 'none', at, at FROM made),
    site AS (
        INSERT INTO sites (tenant_id, id, name, code, time_zone, created_at, updated_at)
        SELECT tenant_id, uuidv7(), 'Store ' || n, 'S' || n, 'Europe/Berlin', at, at
        FROM made, generate_series(1, 2) n
        RETURNING tenant_id, id),
    campaign AS (
        INSERT INTO campaigns (tenant_id, id, name, type, status, budget, currency, starts_at, ends_at, version,
                               created_by, created_at, updated_at, launched_at)
        SELECT tenant_id, uuidv7(), 'Spring offer ' || n, 'in_store', 'active', 1250.00, 'EUR', at,
               at + interval '28 days', 2, user_id, at, at, at
        FROM made, generate_series(1, %(campaigns)s) n
        RETURNING tenant_id, id)
    INSERT INTO campaign_sites (tenant_id, campaign_id, site_id)
    SELECT campaign.tenant_id, campaign.id, site.id FROM campaign, site"""
_BACKENDS: LiteralString = """
    SELECT pid FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend'"""


@dataclass(frozen=True)
class Address:
    """Where PostgreSQL is for one contestant: on its own port, or on one that counts."""

    host: str
    port: int
    name: str
    user: str
    password: str

    @property
    def conninfo(self) -> str:
        """As libpq writes it."""
        return psycopg.conninfo.make_conninfo(
            host=self.host, port=self.port, dbname=self.name, user=self.user, password=self.password
        )


@dataclass(frozen=True)
class World:
    """What contestants are given; every id and the token are real."""

    stack: Stack
    address: Address
    tenant: UUID
    user: UUID
    key_id: str
    token: str
    revocations: str
    ring: str
    """The table that holds the key's public half."""
    names: dict[str, str] = field(default_factory=dict)
    """Names of AWS resources of this run, by what they are."""

    def through(self, port: int) -> Self:
        """The same world with PostgreSQL behind another port."""
        return replace(self, address=replace(self.address, port=port))

    def tenants(self) -> Sequence[UUID]:
        """Both tenants, the token's first."""
        with self.database() as admin:
            return [one for (one,) in admin.execute("SELECT tenant_id FROM tenants ORDER BY slug").fetchall()]

    def database(self) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection that may everything."""
        return psycopg.connect(self.stack.database_admin_url, dbname=self.address.name, autocommit=True)

    def backends(self) -> Sequence[int]:
        """The processes that serve connections to this world's database."""
        with psycopg.connect(self.stack.database_admin_url, autocommit=True) as admin:
            return [pid for (pid,) in admin.execute(_BACKENDS, (self.address.name,)).fetchall()]

    def environment(self) -> dict[str, str]:
        """The variables of a function in this world; without a bus, so that nothing is published."""
        return {
            **self.stack.aws_environment(),
            "RMAP_STAGE": "dev",
            "RMAP_API_URL": ISSUER,
            "RMAP_ISSUER": ISSUER,
            "RMAP_AUDIENCE": AUDIENCE,
            "RMAP_TABLE_SIGNING_KEYS": self.ring,
            "RMAP_TABLE_REVOCATIONS": self.revocations,
            "RMAP_DATABASE_HOST": self.address.host,
            "RMAP_DATABASE_PORT": str(self.address.port),
            "RMAP_DATABASE_NAME": self.address.name,
            "RMAP_DATABASE_USER": self.address.user,
            "RMAP_DATABASE_AUTH": "secret",
            "RMAP_DATABASE_SECRET": "rmap/local/database/app",
            "RMAP_PEPPER_SECRET": "rmap/local/pepper",
            "RMAP_TABLE_API_KEYS": "nobody comes by a key here",
            "RMAP_BUS": "",
            "POWERTOOLS_METRICS_NAMESPACE": "RMAP",
            "POWERTOOLS_LOG_LEVEL": "INFO",
        }


@contextmanager
def world(*, campaigns: int = 200) -> Iterator[World]:
    """Start the benches' instance unless it runs, and make a world in it that ends with the block."""
    ran = any(up for *_, up in local_stack.status(Instance.of(BENCH)))
    stack = local_stack.start(BENCH, deploy=False)
    os.environ.update(stack.aws_environment())
    try:
        with (
            _database(stack) as address,
            table(stack) as ring,
            _signing_key(stack, ring) as key_id,
            table(stack) as revocations,
        ):
            tenant, user = uuid7(), uuid7()
            with psycopg.connect(stack.database_admin_url, dbname=address.name, autocommit=True) as admin:
                for slug, one, owner in (("acme", tenant, user), ("globex", uuid7(), uuid7())):
                    values = {"slug": slug, "tenant": one, "user": owner, "campaigns": campaigns}
                    admin.execute(_SEED, values)
                admin.execute("ANALYZE")
            yield World(stack, address, tenant, user, key_id, token(ring, tenant, user), revocations, ring)
    finally:
        if not ran:
            local_stack.stop(BENCH)


@contextmanager
def _database(stack: Stack) -> Iterator[Address]:
    name = f"bench_{uuid4().hex[:12]}"
    with psycopg.connect(stack.database_admin_url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} OWNER rmap_owner").format(sql.Identifier(name)))
        try:
            with psycopg.connect(stack.database_url, dbname=name) as owner:
                migrate(owner)
            url = urlsplit(stack.database_app_url)
            yield Address(url.hostname or "", url.port or 0, name, url.username or "", url.password or "")
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def _signing_key(stack: Stack, ring: str) -> Iterator[str]:
    client = stack.client("kms")
    key_id = client.create_key(KeyUsage="SIGN_VERIFY", KeySpec="RSA_2048")["KeyMetadata"]["KeyId"]
    publish(DynamoTable(ring), client, key_id)
    yield key_id
    client.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)


@contextmanager
def table(stack: Stack, *, indexed: bool = False) -> Iterator[str]:
    """An empty table of DynamoDB with the platform's keys, by its name; gone when the block ends."""
    client = stack.client("dynamodb")
    name = f"bench-{uuid4().hex}"
    index: dict[str, Any] = {
        "GlobalSecondaryIndexes": [
            {"IndexName": "gsi1", "KeySchema": _keys("gsi1"), "Projection": {"ProjectionType": "ALL"}}
        ]
    }
    keys = ("pk", "sk", "gsi1pk", "gsi1sk") if indexed else ("pk", "sk")
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        KeySchema=_keys(""),
        **(index if indexed else {}),
    )
    yield name
    client.delete_table(TableName=name)


def _keys(index: str) -> list[Any]:
    return [
        {"AttributeName": f"{index}pk", "KeyType": "HASH"},
        {"AttributeName": f"{index}sk", "KeyType": "RANGE"},
    ]


@contextmanager
def queue(stack: Stack) -> Iterator[str]:
    """An empty queue of SQS, by its address; gone when the block ends."""
    client = stack.client("sqs")
    url: str = client.create_queue(QueueName=f"bench-{uuid4().hex}")["QueueUrl"]
    yield url
    client.delete_queue(QueueUrl=url)


FAST: Final = Rate(1_000_000, 1_000_000, None)
"""No benchmark of a function is about being refused for asking too often."""


def token(ring: str, tenant: UUID, user: UUID, rate: Rate = FAST) -> str:
    """An access token of an owner, signed by KMS as the auth function has it signed."""
    issued = int(utc_now().timestamp())
    return TokenSigner(KeyRing(DynamoTable(ring), utc_now)).sign(
        {
            "sub": str(user),
            "tid": str(tenant),
            "role": "owner",
            "permissions": sorted(ROLES["owner"]),
            "rate": rate.claim(),
            "sid": str(uuid7()),
            "iss": ISSUER,
            "aud": AUDIENCE,
            "iat": issued,
            "nbf": issued,
            "exp": issued + HOUR,
            "jti": str(uuid7()),
        }
    )


def wire_function(name: str, environment: Mapping[str, str]) -> ModuleType:
    """A function's handler module, imported anew with an environment, as a fresh sandbox would."""
    before = dict(os.environ)
    os.environ.update(environment)
    try:
        sys.modules.pop(f"functions.{name}.handler", None)
        return importlib.import_module(f"functions.{name}.handler")
    finally:
        os.environ.clear()
        os.environ.update(before)


def http_event(
    method: str, path: str, *, query: str = "", headers: Mapping[str, str] | None = None, body: str = ""
) -> dict[str, Any]:
    """An API Gateway event, payload format 2.0."""
    return {
        "version": "2.0",
        "routeKey": f"ANY {path}",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"host": "api.example.com", "user-agent": "bench", **(headers or {})},
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "bench",
            "requestId": str(uuid4()),
            "stage": "$default",
            "time": "01/Jan/2026:00:00:00 +0000",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "bench",
            },
        },
        "isBase64Encoded": False,
        **({"body": body} if body else {}),
    }


@contextmanager
def silence() -> Iterator[None]:
    """Log lines and metrics are still written, but to nowhere: what the work costs, not what a terminal does."""
    sys.stdout.flush()
    kept = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)
