"""Puts a function together: one call for each thing it needs, in its handler.py and nowhere else.

What a function does not use it does not import: psycopg, PyJWT and cryptography cost a cold start more than the rest
of the kernel together.
"""

# ruff: noqa: PLC0415  a function pays for the imports of what it asks for, and for no others

from __future__ import annotations

import gc
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tenant_context.clock import Clock, utc_now
from tenant_context.entry.http import HttpEntry, Prover
from tenant_context.observability import Observability
from tenant_context.rate import RateLimiter
from tenant_context.routing import Proof, Routes
from tenant_context.settings import DatabaseSettings, KeySettings, RuntimeSettings, TokenSettings

if TYPE_CHECKING:
    from tenant_context.aws import AwsClient
    from tenant_context.flags import Flags
    from tenant_context.key_ring import KeyRing
    from tenant_context.postgres import Database
    from tenant_context.revocations import Revocations
    from tenant_context.rows import RowLimiter


class Kernel:
    """What every function shares, made for one of them."""

    def __init__(self, service: str, *, clock: Clock = utc_now) -> None:
        # `functions/__init__.py` holds the collector back while modules are imported.
        gc.enable()
        gc.freeze()  # what was imported stays: each look through all of it takes a tenth of a second
        self.settings = RuntimeSettings.load()
        self.clock = clock
        self._dynamodb: AwsClient | None = None
        self._token_state: tuple[TokenSettings, KeyRing, Revocations] | None = None
        self.observability = Observability(service, local=self.settings.stage == "local", tracing=self.settings.tracing)

    def database(self, *, bus: str = "") -> Database:
        """The database; with a bus, what transactions emit is published right after they commit."""
        from tenant_context.bus import Bus, OutboxPublisher
        from tenant_context.postgres import Database

        publisher = OutboxPublisher(Bus(bus), self.observability) if bus else None
        return Database(DatabaseSettings.load(), clock=self.clock, publisher=publisher)

    def replica(self, database: Database) -> Database:
        """Where to read what may be some milliseconds old; the database itself, where there is no reader beside it."""
        from tenant_context.postgres import Database

        settings = DatabaseSettings.load()
        if settings.reader_host in {"", settings.host}:
            return database
        return Database(replace(settings, host=settings.reader_host), clock=self.clock)

    def tokens(self) -> Prover:
        """Proves users by their access tokens, and programs by their keys."""
        from tenant_context.identity import TokenProver, TokenVerifier
        from tenant_context.programs import UserOrProgram

        settings, ring, revocations = self._tokens()
        users = TokenProver(TokenVerifier(settings, self.clock, ring), revocations)
        programs = KeySettings.load()
        return UserOrProgram(
            users,
            lambda: self.keys(programs.table_api_keys, programs.pepper_secret, states=settings.table_revocations),
        )

    def ring(self) -> KeyRing:
        """The keys that sign access tokens, or did; the same ring that `tokens` believes."""
        return self._tokens()[1]

    def _tokens(self) -> tuple[TokenSettings, KeyRing, Revocations]:
        from tenant_context.dynamo import Table
        from tenant_context.key_ring import KeyRing
        from tenant_context.revocations import Revocations

        if self._token_state is None:
            settings = TokenSettings.load()
            client = self._client()
            revocations = Revocations(Table(settings.table_revocations, client), self.clock)
            ring = KeyRing(Table(settings.table_signing_keys, client), self.clock, revocations.has_key)
            self._token_state = settings, ring, revocations
        return self._token_state

    def _client(self) -> AwsClient:
        """For tables that every request waits for once in a while: they are not waited for long."""
        from tenant_context.aws import AwsClient

        self._dynamodb = self._dynamodb or AwsClient("dynamodb", timeout=1.0)
        return self._dynamodb

    def _limiter(self) -> RateLimiter:
        from tenant_context.dynamo import Table
        from tenant_context.leases import SharedBuckets

        shared = None
        if self.settings.table_rates:
            shared = SharedBuckets(Table(self.settings.table_rates, self._client()))
        return RateLimiter(self.clock, shared, self.observability.warning)

    def rows(self) -> RowLimiter:
        """Holds tenants to the rows that they may push in a day."""
        from tenant_context.dynamo import Table
        from tenant_context.rows import RowLimiter, SharedRows

        shared = SharedRows(Table(self.settings.table_rates, self._client())) if self.settings.table_rates else None
        return RowLimiter(self.clock, shared, self.observability.warning)

    def keys(self, table: str, pepper_secret: str, states: str = "") -> Prover:
        """Proves programs and devices by their keys; `states` is the table that tells the state of their tenants."""
        from tenant_context.api_keys import ApiKeyVerifier
        from tenant_context.dynamo import Table
        from tenant_context.state_news import States

        known = States(Table(states), self.clock) if states else None
        return ApiKeyVerifier(Table(table), pepper_secret, self.clock, known)

    def flags(self, table: str) -> Flags:
        """Feature flags, as the table that tells of ended sessions holds them."""
        from tenant_context.dynamo import Table
        from tenant_context.flags import Flags

        return Flags(Table(table))

    def operators(self, secret_id: str) -> Prover:
        """Proves operators by the platform's own bearer secret."""
        from tenant_context.operators import OperatorVerifier

        return OperatorVerifier(secret_id)

    def http(
        self,
        routes: Routes,
        service: Any,
        *,
        database: Database | None = None,
        token: Prover | None = None,
        key: Prover | None = None,
        operator: Prover | None = None,
    ) -> HttpEntry:
        """The function's HTTP door."""
        writer = None
        if database is not None:
            from tenant_context.entry.writes import TransactionalWriter

            writer = TransactionalWriter(database)
        edge = None
        if self.settings.origin_secrets:
            from tenant_context.entry.origin import Edge

            edge = Edge(*self.settings.origin_secrets)
        meter = None
        if self.settings.queue_usage:
            from tenant_context.clock import uuid7
            from tenant_context.metering import CallMeter
            from tenant_context.queues import Queue

            meter = CallMeter(Queue(self.settings.queue_usage), self.clock, uuid7)
        provers = {Proof.TOKEN: token, Proof.KEY: key, Proof.OPERATOR: operator}
        return HttpEntry(
            routes,
            service,
            observability=self.observability,
            limiter=self._limiter(),
            clock=self.clock,
            provers={proof: prover for proof, prover in provers.items() if prover is not None},
            writer=writer,
            edge=edge,
            meter=meter,
        )
