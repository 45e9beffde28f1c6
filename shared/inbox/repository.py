"""The inbox in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import LiteralString
from uuid import UUID

from shared.inbox.model import NOBODY, Entry, Kept, Source, State, Verdict, Wanted
from tenant_context.postgres import Database, Row, Transaction

FORGOTTEN_AFTER = timedelta(days=90)
"""What was settled; longer than any sender tries again, so that nothing is taken for new that is not."""
_COLUMNS: LiteralString = (
    "id, tenant_id, source, external_id, kind, subject, occurred_at, received_at, state, tries, reason, settled_at"
)
# For an organization that is not here nothing is kept, as nothing would ever erase it.
_PUT: LiteralString = """
    INSERT INTO inbox (tenant_id, id, source, external_id, kind, subject, occurred_at, received_at, waits_since, body)
    SELECT %(tenant)s, %(id)s, %(source)s, %(external_id)s, %(kind)s, %(subject)s, %(occurred_at)s, %(now)s, %(now)s,
           %(body)s
    WHERE %(tenant)s = %(nobody)s OR EXISTS (SELECT FROM tenants WHERE tenant_id = %(tenant)s)
    ON CONFLICT (tenant_id, source, external_id) DO NOTHING RETURNING id"""
_KNOWN: LiteralString = f"SELECT {_COLUMNS} FROM inbox WHERE tenant_id = %s AND source = %s AND external_id = %s"
_TAKE: LiteralString = f"SELECT {_COLUMNS}, body FROM inbox WHERE tenant_id = %s AND id = %s FOR UPDATE"
# One after the other, what is about one thing.
_IN_TURN: LiteralString = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 21))"
_NEWEST: LiteralString = """
    SELECT max(occurred_at) FROM inbox
    WHERE tenant_id = %s AND source = %s AND subject = %s AND state = 'done' AND id <> %s"""
_SETTLE: LiteralString = """
    UPDATE inbox SET state = %(state)s, reason = %(reason)s, tries = tries + 1, settled_at = %(now)s
    WHERE tenant_id = %(tenant)s AND id = %(id)s"""
_TRIED: LiteralString = """
    UPDATE inbox SET tries = tries + 1, reason = %(reason)s,
           state = CASE WHEN tries + 1 >= %(most)s THEN 'failed' ELSE state END,
           settled_at = CASE WHEN tries + 1 >= %(most)s THEN %(now)s END
    WHERE tenant_id = %(tenant)s AND id = %(id)s AND state = 'received' RETURNING state"""
_REOPEN: LiteralString = """
    UPDATE inbox SET state = 'received', tries = 0, reason = '', settled_at = NULL, waits_since = %s
    WHERE tenant_id = %s AND id = ANY(%s) RETURNING id"""
_FORGET: LiteralString = """
    WITH gone AS (DELETE FROM inbox WHERE tenant_id = %s AND state IN ('done', 'ignored') AND received_at < %s
                  RETURNING 1)
    SELECT count(*) FROM gone"""
_ENTRIES: LiteralString = f"""
    SELECT {_COLUMNS} FROM app.inbox_entries(
        %(id)s, %(tenant)s, %(source)s, %(state)s, %(since)s, %(until)s, %(after)s, %(ascending)s, %(page)s)"""
_USER: LiteralString = "SELECT user_id FROM app.find_user(%s) LIMIT 1"
_HEALTH: LiteralString = "SELECT name, value FROM app.operations() WHERE starts_with(name, 'rmap_inbox_')"


class InboxRepository:
    """Entries of one tenant at a time, and what of all may be known for operators and the sweep."""

    def put(self, tx: Transaction, source: Source, entry: Entry, entry_id: UUID, sealed: bytes) -> Kept | None:
        """Keep an entry: as it is now, or was kept before; None where its organization is not here."""
        values = {
            "tenant": tx.tenant.tenant,
            "id": entry_id,
            "source": source,
            "external_id": entry.id,
            "kind": entry.kind,
            "subject": entry.subject,
            "occurred_at": entry.occurred_at,
            "now": tx.now,
            "body": sealed,
            "nobody": NOBODY,
        }
        tx.run(_PUT, values)
        row = tx.one(_KNOWN, (tx.tenant.tenant, source, entry.id))
        return _kept(row) if row else None

    def take(self, tx: Transaction, entry_id: UUID) -> tuple[Kept, bytes] | None:
        """An entry and its sealed body, held until the transaction ends; None where it has gone."""
        row = tx.one(_TAKE, (tx.tenant.tenant, entry_id))
        return (_kept(row[:-1]), bytes(row[-1])) if row else None

    def newest(self, tx: Transaction, kept: Kept) -> datetime | None:
        """When the newest other entry of its subject occurred that was done; waits for those under way."""
        tx.run(_IN_TURN, (f"{kept.tenant}/{kept.source}/{kept.subject}",))
        row = tx.one(_NEWEST, (kept.tenant, kept.source, kept.subject, kept.id))
        return row[0] if row else None

    def settle(self, tx: Transaction, kept: Kept, verdict: Verdict) -> None:
        """Queue what became of it."""
        values = {"state": verdict.state, "reason": verdict.reason[:500], "now": tx.now}
        tx.run(_SETTLE, {**values, "tenant": kept.tenant, "id": kept.id})

    def tried(self, tx: Transaction, entry_id: UUID, reason: str, most: int) -> State | None:
        """Note a try that failed; the last one fails the entry. Its state then; None where it was settled meanwhile."""
        values = {"reason": reason[:500], "most": most, "now": tx.now, "tenant": tx.tenant.tenant, "id": entry_id}
        row = tx.one(_TRIED, values)
        return State(row[0]) if row else None

    def reopen(self, tx: Transaction, entries: Sequence[UUID]) -> list[UUID]:
        """Have entries wait as if they had just come; those that are there."""
        return [row[0] for row in tx.all(_REOPEN, (tx.now, tx.tenant.tenant, list(entries)))]

    def forget(self, tx: Transaction) -> int:
        """Remove what was settled long ago; how many."""
        row = tx.one(_FORGET, (tx.tenant.tenant, tx.now - FORGOTTEN_AFTER))
        return int(row[0]) if row else 0

    def page(
        self, database: Database, wanted: Wanted, *, after: UUID | None, limit: int, ascending: bool = False
    ) -> list[Kept]:
        """Entries of any tenant, without their bodies: newest first, or oldest."""
        values = {
            "id": wanted.id,
            "tenant": wanted.tenant,
            "source": wanted.source,
            "state": wanted.state,
            "since": wanted.since,
            "until": wanted.until,
            "after": after,
            "ascending": ascending,
            "page": limit,
        }
        return [_kept(row) for row in database.door(_ENTRIES, values)]

    def health(self, database: Database) -> dict[str, float]:
        """How many entries wait or failed, and how long the oldest has waited."""
        return {str(row[0]): float(row[1]) for row in database.door(_HEALTH)}

    def user_of(self, tx: Transaction, address: str) -> UUID | None:
        """Whose mail address it is."""
        row = tx.one(_USER, (address,))
        return row[0] if row else None


def _kept(row: Row) -> Kept:
    entry, tenant, source, external, kind, subject, occurred, received, state, *rest = row
    return Kept(entry, tenant, Source(source), external, kind, subject, occurred, received, State(state), *rest)
