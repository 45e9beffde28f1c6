"""Erasures in PostgreSQL: how far they came, and the rows that go."""

from dataclasses import asdict
from datetime import timedelta
from typing import LiteralString
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb

from shared.erasure.errors import Busy, NeverErased, NotClosed
from shared.erasure.model import Erasure, Mark
from tenant_context.context import TenantContext
from tenant_context.postgres import Database, Transaction

HELD = timedelta(minutes=6)
"""How long a claim holds: longer than its worker may run, so that a claim outlives only a crash."""
_DUE: LiteralString = "SELECT tenant_id FROM app.tenants_to_erase(%s)"
_BEGIN: LiteralString = """
    INSERT INTO erasures (tenant_id, mark, started_at)
    SELECT t.tenant_id, json_build_object('people', (SELECT coalesce(json_agg(m.user_id ORDER BY m.user_id), '[]')
                                                     FROM memberships m WHERE m.tenant_id = t.tenant_id)), %(now)s
    FROM tenants t WHERE t.tenant_id = %(tenant)s AND t.status = 'closed'
    ON CONFLICT (tenant_id) DO NOTHING"""
_CLAIM: LiteralString = """
    UPDATE erasures SET claimed_until = %(until)s
    WHERE tenant_id = %(tenant)s AND finished_at IS NULL AND (claimed_until IS NULL OR claimed_until < %(now)s)
          AND app.being_erased()
    RETURNING mark, counts"""
_STANDING: LiteralString = "SELECT finished_at, app.being_erased() FROM erasures WHERE tenant_id = %s"
_NOTE: LiteralString = "UPDATE erasures SET mark = %s, counts = %s, claimed_until = %s WHERE tenant_id = %s"
_RELEASE: LiteralString = "UPDATE erasures SET claimed_until = NULL WHERE tenant_id = %s"
_HOLD: LiteralString = "SELECT 1 FROM tenants WHERE tenant_id = %s FOR UPDATE"
_ROWS: LiteralString = "SELECT app.erase_rows(%s, %s)"
_PERSON: LiteralString = "SELECT app.erase_person(%s)"
_CERTIFICATE: LiteralString = """
    SELECT json_build_object('organization', tenant_id, 'started_at', app.rfc3339(started_at),
                             'finished_at', app.rfc3339(finished_at), 'counts', counts)::text
    FROM erasures WHERE tenant_id = %s"""
_FINISH: LiteralString = """
    UPDATE erasures SET mark = '{}', counts = %s, finished_at = %s, claimed_until = NULL WHERE tenant_id = %s"""


class ErasureRepository:
    """One tenant's erasure at a time; the functions it calls refuse for a tenant that is not being erased."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def due(self, page: int) -> list[UUID]:
        """Tenants that have been closed for a quarter of an hour, or are half erased: what was on its way has ended."""
        return [row[0] for row in self._database.door(_DUE, (page,))]

    def claim(self, tx: Transaction) -> Erasure | None:
        """Begin, or take up where it was left; None when it has ended. Errors: NotClosed, Busy."""
        values = {"tenant": tx.tenant.tenant, "now": tx.now, "until": tx.now + HELD}
        tx.run(_BEGIN, values)
        row = tx.one(_CLAIM, values)
        if row is not None:
            return Erasure(msgspec.convert(row[0], Mark), row[1])
        standing = tx.one(_STANDING, (tx.tenant.tenant,))
        if standing is None:
            raise NotClosed
        if standing[0] is not None:
            return None
        raise Busy if standing[1] else NotClosed

    def note(self, tx: Transaction, erasure: Erasure) -> None:
        """Keep how far it came."""
        tx.run(_NOTE, (Jsonb(asdict(erasure.mark)), Jsonb(erasure.counts), tx.now + HELD, tx.tenant.tenant))

    def release(self, tx: Transaction) -> None:
        """Leave the rest to whoever comes next."""
        tx.run(_RELEASE, (tx.tenant.tenant,))

    def hold(self, tx: Transaction) -> None:
        """Let no row that refers to the tenant be added until this transaction has ended."""
        tx.all(_HOLD, (tx.tenant.tenant,))

    def rows(self, tx: Transaction, table: str, page: int) -> int:
        """Take away up to a page of the tenant's rows of a table; answers how many went."""
        row = tx.one(_ROWS, (table, page))
        return int(row[0]) if row else 0

    def person(self, tx: Transaction, user: UUID) -> bool:
        """Take away a person who is a member of no other tenant; whether they went."""
        row = tx.one(_PERSON, (user,))
        return bool(row and row[0])

    def certificate(self, tenant: TenantContext) -> bytes:
        """The JSON of what was erased of a tenant, or was so far. Errors: NeverErased."""
        rows = self._database.read(tenant, _CERTIFICATE, (tenant.tenant,))
        if not rows:
            raise NeverErased
        return str(rows[0][0]).encode()

    def finish(self, tx: Transaction, erasure: Erasure) -> None:
        """Everything is gone; the counts stay, and no person's id."""
        tx.run(_FINISH, (Jsonb(erasure.counts), tx.now, tx.tenant.tenant))
