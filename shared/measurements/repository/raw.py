"""Parts of batches, each written once: what came in, what was refused, and the note that it is done.

Rows come as arrays (`unnest`), not through COPY into a temporary table, which is a quarter faster but makes RDS Proxy
pin the session (decision record 0007). A row counts once however often it is delivered: the newest received wins, what
it replaces is kept as a revision, and the rollup moves by the difference.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb

from shared.measurements import rules
from shared.measurements.errors import BatchNotFound, RejectedNotFound
from shared.measurements.model import Outcome, RefusedRow, RefusedRows, RejectedRow
from shared.measurements.repository import counts, gathered, judging, readings, transactions
from shared.measurements.repository.writing import hold_tree
from tenant_context.clock import NewId
from tenant_context.postgres import Transaction

_BEGIN_BATCH: LiteralString = """
    INSERT INTO ingest_batches (tenant_id, id, kind, received_at, parts, rows, rejected, duplicates)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (tenant_id, id) DO NOTHING"""
_IS_DONE: LiteralString = """
    SELECT EXISTS (SELECT FROM ingest_parts WHERE tenant_id = %s AND batch_id = %s AND part = %s)"""
_BEGIN_EACH: LiteralString = """
    WITH told AS MATERIALIZED (
        SELECT * FROM unnest(%(batches)s::uuid[], %(received)s::timestamptz[], %(parts)s::integer[],
                             %(rows)s::integer[], %(rejected)s::integer[], %(duplicates)s::integer[],
                             %(part)s::integer[]) WITH ORDINALITY
            AS t (id, received_at, parts, rows, rejected, duplicates, part, n)
    ), noted AS (
        INSERT INTO ingest_batches (tenant_id, id, kind, received_at, parts, rows, rejected, duplicates)
        SELECT %(tenant)s, id, %(kind)s, received_at, parts, rows, rejected, duplicates FROM told ORDER BY id
        ON CONFLICT (tenant_id, id) DO NOTHING
    )
    SELECT n - 1 FROM told t
    WHERE NOT EXISTS (SELECT FROM ingest_parts p
                      WHERE p.tenant_id = %(tenant)s AND p.batch_id = t.id AND p.part = t.part) ORDER BY n"""
_END_EACH: LiteralString = """
    INSERT INTO ingest_parts (tenant_id, batch_id, part, stored, unchanged, revised, quarantined, processed_at)
    SELECT %(tenant)s, t.*, %(now)s
    FROM unnest(%(batches)s::uuid[], %(part)s::integer[], %(stored)s::integer[], %(unchanged)s::integer[],
                %(revised)s::integer[], %(quarantined)s::integer[])
         AS t (batch_id, part, stored, unchanged, revised, quarantined)
    ORDER BY batch_id, part"""
_REJECT: LiteralString = """
    INSERT INTO rejected_rows (tenant_id, id, batch_id, row, field, code, message, content, at)
    SELECT %(tenant)s, id, %(batch)s, row, field, code, message, content, %(now)s
    FROM unnest(%(ids)s::uuid[], %(row)s::integer[], %(field)s::text[], %(code)s::text[], %(message)s::text[],
                %(content)s::jsonb[]) AS t (id, row, field, code, message, content)"""
_SITES: LiteralString = "SELECT id, site_id FROM sensors WHERE tenant_id = %s AND id = ANY(%s::uuid[])"
_TAKE_REJECTED: LiteralString = """
    SELECT b.kind, r.content, r.resubmitted_as
    FROM rejected_rows r JOIN ingest_batches b ON b.tenant_id = r.tenant_id AND b.id = r.batch_id
    WHERE r.tenant_id = %s AND r.id = %s FOR UPDATE OF r"""
_KIND: LiteralString = "SELECT kind FROM ingest_batches WHERE tenant_id = %s AND id = %s"
_TAKE_REFUSED: LiteralString = """
    WITH page AS (SELECT id, row, octet_length(content::text) AS size FROM rejected_rows
                  WHERE tenant_id = %(tenant)s AND batch_id = %(batch)s AND row >= %(first)s AND resubmitted_as IS NULL
                  ORDER BY row, id LIMIT %(limit)s),
    fit AS (SELECT id FROM (SELECT id, size, sum(size) OVER (ORDER BY row, id) AS whole FROM page) weighed
            WHERE whole <= %(most)s OR whole = size)
    SELECT id, row, content FROM rejected_rows
    WHERE tenant_id = %(tenant)s AND id IN (SELECT id FROM fit) AND resubmitted_as IS NULL
    ORDER BY row, id FOR UPDATE"""
_FOLLOWING: LiteralString = """
    SELECT row FROM rejected_rows
    WHERE tenant_id = %s AND batch_id = %s AND (row, id) > (%s, %s) AND resubmitted_as IS NULL
    ORDER BY row, id LIMIT 1"""
_MARK_RESUBMITTED: LiteralString = """
    UPDATE rejected_rows SET resubmitted_as = %s, resubmitted_at = %s WHERE tenant_id = %s AND id = ANY(%s)"""


class RawRepository:
    """Writes the parts of batches, each in the transaction it is given."""

    def __init__(self, new_id: NewId) -> None:
        self._new_id = new_id

    def hold(self, tx: Transaction) -> None:
        """Nobody else writes rollups of the tenant until the transaction ends."""
        hold_tree(tx)

    def begin(self, tx: Transaction, kind: str, data: dict[str, Any]) -> bool:
        """Note the batch; whether this part of it is still to be done."""
        batch = UUID(data["batch"])
        tx.run(
            _BEGIN_BATCH,
            (
                tx.tenant.tenant,
                batch,
                kind,
                data["received_at"],
                data["parts"],
                data["rows_in_batch"],
                data["rejected_in_batch"],
                data["duplicates"],
            ),
        )
        done = tx.one(_IS_DONE, (tx.tenant.tenant, batch, data["part"]))
        return not (done and done[0])

    def begin_each(self, tx: Transaction, kind: str, parts: Sequence[dict[str, Any]]) -> list[int]:
        """Note the batches of parts, each of one of its own; the places of those that are still to be done."""
        values: dict[str, Any] = {
            "tenant": tx.tenant.tenant,
            "kind": kind,
            "batches": [data["batch"] for data in parts],
            "received": [data["received_at"] for data in parts],
            "parts": [data["parts"] for data in parts],
            "rows": [data["rows_in_batch"] for data in parts],
            "rejected": [data["rejected_in_batch"] for data in parts],
            "duplicates": [data["duplicates"] for data in parts],
            "part": [data["part"] for data in parts],
        }
        return [int(place) for (place,) in tx.all(_BEGIN_EACH, values)]

    def write_counts(self, tx: Transaction, data: dict[str, Any]) -> tuple[Outcome, list[int]]:
        """Counts in; answers what became of them and the places of rows whose sensor is not there."""
        return readings.write_counts(tx, data)

    def write_each(self, tx: Transaction, parts: Sequence[dict[str, Any]]) -> list[tuple[Outcome, list[int]]]:
        """Counts of several parts in, by one statement; the same of each."""
        return gathered.write_each(tx, parts)

    def part_devices(self, tx: Transaction, sensor: UUID, at: datetime) -> None:
        """Nothing is counted from where a sensor's device before stood to where another one stands since a moment."""
        readings.part_devices(tx, sensor, at, self._new_id())

    def recalibrate(
        self, tx: Transaction, sensor: UUID, start: datetime, end: datetime, batch: UUID
    ) -> tuple[int, int]:
        """Calibrate counts that are there as their sensor's setup has it now; how many there are, and changed.

        Errors: TooManyCounts.
        """
        return counts.recalibrate(tx, sensor, start, end, batch)

    def write_transactions(self, tx: Transaction, data: dict[str, Any]) -> tuple[Outcome, list[int]]:
        """Receipts in, likewise."""
        return transactions.write_transactions(tx, data)

    def unwritable(self, tx: Transaction, kind: str, rows: Sequence[Any]) -> list[int]:
        """The places of rows that the tables take from nobody, as far as that is known without trying."""
        return judging.unwritable(tx, kind, rows)

    def sites(self, tx: Transaction, kind: str, parts: Sequence[dict[str, Any]]) -> list[list[str]]:
        """The stores that the rows of each part are of, as their sensors stand now."""
        named = [sorted({str(row[0]) for row in part["rows"]}) for part in parts]
        if kind != "counts":
            return named
        sensors = sorted({sensor for some in named for sensor in some})
        rows = tx.all(_SITES, (tx.tenant.tenant, sensors)) if sensors else []
        of = {str(sensor): str(site) for sensor, site in rows}
        return [sorted({of[sensor] for sensor in some if sensor in of}) for some in named]

    def reject(self, tx: Transaction, batch: UUID, refused: Sequence[dict[str, Any]]) -> None:
        """Keep refused rows, so that they can be listed and sent again after a fix."""
        if not refused:
            return
        values: dict[str, Any] = {"tenant": tx.tenant.tenant, "batch": batch, "now": tx.now}
        values["ids"] = [self._new_id() for _ in refused]
        for name in ("row", "code"):
            values[name] = [one[name] for one in refused]
        for name in ("field", "message"):
            values[name] = [rules.storable(one[name]) for one in refused]
        values["content"] = [Jsonb(rules.storable(one["content"])) for one in refused]
        tx.run(_REJECT, values)

    def take_rejected(self, tx: Transaction, rejected: UUID) -> RejectedRow:
        """A refused row, held until the transaction ends. Errors: RejectedNotFound."""
        row = tx.one(_TAKE_REJECTED, (tx.tenant.tenant, rejected))
        if row is None:
            raise RejectedNotFound
        return RejectedRow(*row)

    def take_refused(self, tx: Transaction, batch: UUID, first: int, limit: int, most: int) -> RefusedRows:
        """Refused rows of a batch that were not sent again, held until the transaction ends; of `most` bytes at most.

        Errors: BatchNotFound.
        """
        kind = tx.one(_KIND, (tx.tenant.tenant, batch))
        if kind is None:
            raise BatchNotFound
        values = {"tenant": tx.tenant.tenant, "batch": batch, "first": first, "limit": limit, "most": most}
        found = [RefusedRow(*row) for row in tx.all(_TAKE_REFUSED, values)]
        following = tx.one(_FOLLOWING, (tx.tenant.tenant, batch, found[-1].row, found[-1].id)) if found else None
        return RefusedRows(kind[0], found, following[0] if following else None)

    def mark_resubmitted(self, tx: Transaction, rejected: Sequence[UUID], batch: UUID) -> None:
        """Note that refused rows were taken after all."""
        tx.run(_MARK_RESUBMITTED, (batch, tx.now, tx.tenant.tenant, list(rejected)))

    def end_each(self, tx: Transaction, ended: Sequence[tuple[dict[str, Any], Outcome]]) -> None:
        """Note parts as done; a second delivery of one breaks here and changes nothing."""
        values: dict[str, Any] = {
            "tenant": tx.tenant.tenant,
            "now": tx.now,
            "batches": [data["batch"] for data, _ in ended],
            "part": [data["part"] for data, _ in ended],
        }
        for name in ("stored", "unchanged", "revised", "quarantined"):
            values[name] = [getattr(outcome, name) for _, outcome in ended]
        tx.run(_END_EACH, values)
