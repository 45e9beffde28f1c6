"""PostgreSQL through one door: every transaction begins with `app.enter`, which sets the tenant for its length.

(`app.look` does the same for one that only reads, and makes it read-only.)

A transaction is a pipeline: BEGIN, the door and the statements travel together and nothing waits until a result is
asked for, so a read is one round trip and a write with its outbox and audit rows is one more at most. Nothing is set
on the session and no statement is prepared, so RDS Proxy never pins.

    with database.transaction(tenant) as tx:
        tx.run("INSERT …", row)             # queued
        row = tx.one("SELECT …", (id,))     # waits
    # committed; events emitted on `tx` are being published

Errors: `Unavailable` when the database does not answer; psycopg's own errors for what a statement did wrong, which
repositories translate.
"""

import os
import select
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, LiteralString, Protocol
from uuid import UUID

import msgspec
import psycopg
from psycopg import Connection, pq, sql
from psycopg.types.json import set_json_dumps, set_json_loads

from tenant_context.aws import Credentials, database_token
from tenant_context.context import TenantContext
from tenant_context.errors import FeatureNotInPlan, LimitReached, NotInState, RmapError, Unavailable
from tenant_context.events import Event
from tenant_context.outbox import Outbox
from tenant_context.secrets import forget_secrets, secret
from tenant_context.settings import DatabaseSettings

set_json_dumps(msgspec.json.encode)
set_json_loads(msgspec.json.decode)

Row = tuple[Any, ...]
Parameters = Sequence[Any] | Mapping[str, Any]
Query = LiteralString | sql.Composed
"""A constant of the code, or one put together from names of PostgreSQL's catalog, each quoted as a name."""

_ENTER: LiteralString = "SELECT app.enter(%s, %s, %s)"
_ENTER_IN: LiteralString = """
    SELECT app.enter_in(%(tenant)s, %(user)s, %(request)s, CASE WHEN EXISTS (
        SELECT FROM erasures WHERE tenant_id = %(tenant)s) THEN '{}'::text[] ELSE %(states)s::text[] END)"""
"""A tenant that was erased is in none of the states: what comes late for it leaves no row behind its erasure."""
_LOOK: LiteralString = "SELECT app.look(%s, %s, %s)"
_PUBLISHED: LiteralString = "UPDATE outbox SET published_at = %s WHERE tenant_id = %s AND id = ANY(%s)"


class Publisher(Protocol):
    """Takes the events of a transaction that has just committed."""

    def publish(self, tenant: TenantContext, events: Sequence[Event], now: datetime) -> list[UUID]:
        """Send them to the bus; answers the ids it took. What fails is swept up later, so it never raises."""


class Transaction:
    """One tenant's transaction, still open; `now` is its one moment (UTC)."""

    def __init__(self, database: "Database", connection: Connection[Row], tenant: TenantContext) -> None:
        self._database = database
        self._connection = connection
        self.tenant = tenant
        self.now = database.clock()
        self.events: list[Event] = []
        self.afterwards: list[Callable[[], object]] = []

    def go_on_as(self, tenant: TenantContext) -> None:
        """Go on for another request of the same tenant: what follows is told as its own."""
        if tenant.tenant != self.tenant.tenant:
            raise ValueError("A transaction is one tenant's.")
        self.run(_ENTER, (tenant.tenant, tenant.user, tenant.request_id))
        self.tenant = tenant

    def run(self, query: Query, parameters: Parameters | None = None) -> None:
        """Queue a statement whose result nobody needs; its error surfaces at the next wait or at commit."""
        self._database.statements += 1
        self._connection.execute(query, parameters)

    def one(self, query: Query, parameters: Parameters | None = None) -> Row | None:
        """The first row, or None; waits."""
        self._database.count_wait()
        return self._connection.execute(query, parameters).fetchone()

    def all(self, query: Query, parameters: Parameters | None = None) -> list[Row]:
        """Every row; waits."""
        self._database.count_wait()
        return self._connection.execute(query, parameters).fetchall()

    def emit(self, event: Event, *, at_once: bool = True) -> None:
        """Write the event to the outbox and the audit log, in this transaction; published after the commit.

        Not at once, it is left to the relay, which publishes it within two minutes.
        """
        self.run(*Outbox.statement(self.tenant, event, self.now))
        if at_once:
            self.events.append(event)

    def emit_all(self, told: Sequence[tuple[TenantContext, Event]]) -> None:
        """Several events in one statement, each as the request of this tenant that it came of."""
        if any(tenant.tenant != self.tenant.tenant for tenant, _ in told):
            raise ValueError("A transaction is one tenant's.")
        if told:
            one = len(told) == 1
            self.run(*(Outbox.statement(*told[0], self.now) if one else Outbox.statement_of_many(told, self.now)))
            self.events += [event for _, event in told]

    def after_commit(self, action: Callable[[], object]) -> None:
        """Do this once the transaction has committed, and never when it has not; its error is the caller's."""
        self.afterwards.append(action)


class Database:
    """One connection of one sandbox, opened at its first use and again when it broke.

    `statements` and `round_trips` count what it did, for the budgets of the tests.
    """

    def __init__(
        self,
        settings: DatabaseSettings,
        *,
        clock: Callable[[], datetime],
        publisher: Publisher | None = None,
    ) -> None:
        self._settings = settings
        self._publisher = publisher
        self._held: Connection[Row] | None = None
        self.clock = clock
        self.statements = 0
        self.round_trips = 0

    def read(self, tenant: TenantContext, query: LiteralString, parameters: Parameters | None = None) -> list[Row]:
        """One query in a read-only transaction of its own, in one round trip.

        What stands between two Syncs of a pipeline is one transaction by itself, without BEGIN and COMMIT.
        """
        connection = self._connection()
        self.count_wait()
        try:
            with connection.pipeline():
                connection.execute(_LOOK, (tenant.tenant, tenant.user, tenant.request_id))
                if tenant.states:
                    connection.execute(_ENTER_IN, _of_states(tenant))
                cursor = connection.execute(query, parameters, binary=True)
            return cursor.fetchall()
        except psycopg.OperationalError as error:
            raise self._lost(connection, error) from error
        except psycopg.DatabaseError as error:
            self._roll_back(connection)
            if (refused := _refused(error)) is not None:
                raise refused from error
            raise
        except BaseException:
            self._roll_back(connection)
            raise

    @contextmanager
    def transaction(self, tenant: TenantContext) -> Iterator[Transaction]:
        """The tenant's transaction: committed when the block ends, rolled back when it raises."""
        connection = self._connection()
        transaction = Transaction(self, connection, tenant)
        try:
            with connection.pipeline():
                connection.execute("BEGIN")
                connection.execute(_ENTER, (tenant.tenant, tenant.user, tenant.request_id))
                if tenant.states:
                    connection.execute(_ENTER_IN, _of_states(tenant))
                yield transaction
                connection.execute("COMMIT")
            self.round_trips += 1
        except psycopg.OperationalError as error:
            raise self._lost(connection, error) from error
        except psycopg.DatabaseError as error:
            self._roll_back(connection)
            if (refused := _refused(error)) is not None:
                raise refused from error
            raise
        except BaseException:
            self._roll_back(connection)
            raise
        if transaction.events and self._publisher is not None:
            self._publish(transaction, self._publisher)
        for action in transaction.afterwards:
            action()

    def door(self, query: LiteralString, parameters: Parameters | None = None) -> list[Row]:
        """Call one of the reviewed functions that answer before a tenant is known (app.find_login …).

        Without a tenant, row level security shows no row of any table, so nothing else is of use here.
        """
        connection = self._connection()
        self.count_wait()
        try:
            return connection.execute(query, parameters).fetchall()
        except psycopg.OperationalError as error:
            raise self._lost(connection, error) from error

    def _publish(self, transaction: Transaction, publisher: Publisher) -> None:
        taken = publisher.publish(transaction.tenant, transaction.events, transaction.now)
        if not taken:
            return
        # In whatever state the tenant is by now: the transaction itself may have led out of those that its work wants.
        tenant = replace(transaction.tenant, states=())
        # Should this fail, the relay publishes them again: consumers drop an event id they have seen.
        with suppress(Unavailable), self.transaction(tenant) as tx:
            tx.run(_PUBLISHED, (transaction.now, transaction.tenant.tenant, taken))

    def count_wait(self) -> None:
        """Count a statement that waits for its answer."""
        self.statements += 1
        self.round_trips += 1

    def close(self) -> None:
        """Drop the connection; the next use opens another."""
        if self._held is not None:
            with suppress(psycopg.Error):
                self._held.close()
            self._held = None

    def _connection(self) -> Connection[Row]:
        if self._held is not None and _has_hung_up(self._held):
            self.close()
        if self._held is None:
            try:
                self._held = open_connection(self._settings)
            except psycopg.OperationalError as error:
                raise Unavailable("The database does not answer; try again.") from error
        return self._held

    def _roll_back(self, connection: Connection[Row]) -> None:
        try:
            if connection.info.transaction_status != pq.TransactionStatus.IDLE:
                connection.execute("ROLLBACK")
        except psycopg.Error:
            self.close()

    def _lost(self, connection: Connection[Row], error: psycopg.OperationalError) -> Exception:
        """Tell a broken connection (try again) from an operational error of a statement (deadlock, time-out)."""
        if connection.closed or connection.broken:
            self.close()
            return Unavailable("The connection to the database was lost; ask again with the same Idempotency-Key.")
        self._roll_back(connection)
        return Unavailable(f"The database could not finish: {error.sqlstate or 'unknown'}.")


def _of_states(tenant: TenantContext) -> dict[str, Any]:
    """What holds the tenant of some work to certain states."""
    return {
        "tenant": tenant.tenant,
        "user": tenant.user,
        "request": tenant.request_id,
        "states": list(tenant.states),
    }


def _refused(error: psycopg.DatabaseError) -> RmapError | None:
    """What our own functions in PostgreSQL refuse (migration 0011), in the kernel's words."""
    kind = _REFUSALS.get(error.sqlstate or "")
    return kind(**msgspec.json.decode(error.diag.message_detail or "{}")) if kind else None


_REFUSALS: Mapping[str, Callable[..., RmapError]] = {
    "RM402": LimitReached,
    "RM403": FeatureNotInPlan,
    "RM410": NotInState,
}


def open_connection(settings: DatabaseSettings) -> Connection[Row]:
    """Connect as the settings say; after a refused password the secret is read anew, once."""
    try:
        return _open(settings, _password(settings))
    except psycopg.OperationalError as error:
        if settings.auth != "secret" or "password" not in str(error):
            raise
        forget_secrets()
        return _open(settings, _password(settings))


def _open(settings: DatabaseSettings, password: str) -> Connection[Row]:
    connection = psycopg.connect(
        host=settings.host,
        port=settings.port,
        dbname=settings.name,
        user=settings.user,
        password=password,
        sslmode="verify-full" if settings.auth == "iam" else "prefer",
        sslrootcert=_authorities() if settings.auth == "iam" else None,
        connect_timeout=5,
        autocommit=True,
        prepare_threshold=None,
    )
    return connection  # noqa: RET504  the annotation of connect() depends on its row factory


def _authorities() -> str:
    """The file of the certificate authorities to trust; psycopg's own OpenSSL knows none of the system's folders."""
    named = os.environ.get("SSL_CERT_FILE", "/etc/pki/tls/certs/ca-bundle.crt")
    return named if os.path.exists(named) else "system"  # noqa: PTH110  pathlib costs a cold start 5 ms


def _password(settings: DatabaseSettings) -> str:
    if settings.auth == "iam":
        return database_token(Credentials(), settings.host, settings.port, settings.user, datetime.now(UTC))
    return str(msgspec.json.decode(secret(settings.secret))["password"])


def _has_hung_up(connection: Connection[Row]) -> bool:
    """Whether the server closed an idle connection: its socket then has something to read."""
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
    return bool(poll.poll(0))
