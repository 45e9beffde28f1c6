"""Puts a function together: one call for each thing it needs, in its handler.py and nowhere else."""

from typing import Any

from tenant_context.api_keys import ApiKeyVerifier
from tenant_context.bus import Bus, OutboxPublisher
from tenant_context.clock import Clock, utc_now
from tenant_context.context import TenantContext, from_claims
from tenant_context.dynamo import Table
from tenant_context.entry.http import HttpEntry, Prover
from tenant_context.identity import TokenVerifier
from tenant_context.observability import Observability
from tenant_context.operators import OperatorVerifier
from tenant_context.postgres import Database
from tenant_context.rate import RateLimiter
from tenant_context.routing import Proof, Routes
from tenant_context.settings import DatabaseSettings, RuntimeSettings, TokenSettings


class _Tokens:
    def __init__(self, verifier: TokenVerifier) -> None:
        self._verifier = verifier

    def prove(self, credential: str, request_id: str) -> TenantContext:
        return from_claims(self._verifier.verify(credential), request_id)


class _Keys:
    def __init__(self, verifier: ApiKeyVerifier) -> None:
        self._verifier = verifier

    def prove(self, credential: str, request_id: str) -> TenantContext:
        return self._verifier.verify(credential, request_id)


class Kernel:
    """What every function shares, made for one of them."""

    def __init__(self, service: str, *, clock: Clock = utc_now) -> None:
        self.settings = RuntimeSettings.load()
        self.clock = clock
        self.observability = Observability(service, local=self.settings.stage == "local", tracing=self.settings.tracing)

    def database(self, *, bus: str = "") -> Database:
        """The database; with a bus, what transactions emit is published right after they commit."""
        publisher = OutboxPublisher(Bus(bus), self.observability) if bus else None
        return Database(DatabaseSettings.load(), clock=self.clock, publisher=publisher)

    def tokens(self) -> Prover:
        """Proves users by their access tokens."""
        return _Tokens(TokenVerifier(TokenSettings.load(), self.clock))

    def keys(self, table: str, pepper_secret: str) -> Prover:
        """Proves programs and devices by their keys."""
        return _Keys(ApiKeyVerifier(Table(table), pepper_secret, self.clock))

    def operators(self, secret_id: str) -> Prover:
        """Proves operators by the platform's own bearer secret."""
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
        provers = {Proof.TOKEN: token, Proof.KEY: key, Proof.OPERATOR: operator}
        return HttpEntry(
            routes,
            service,
            observability=self.observability,
            limiter=RateLimiter(self.settings.rate_limit, self.settings.rate_burst, self.clock),
            provers={proof: prover for proof, prover in provers.items() if prover is not None},
            database=database,
        )
