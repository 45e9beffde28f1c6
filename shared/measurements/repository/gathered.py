"""Counts of several parts, written by one statement: the same that writes one, told for each row whose it is.

PostgreSQL plans the statement anew each time, which costs it more than to write a row, or a hundred.
"""

from collections.abc import Sequence
from typing import Any, LiteralString
from uuid import UUID

from shared.measurements import rules
from shared.measurements.model import Outcome
from shared.measurements.repository.counts import COUNT_COLUMNS, WRITE_COUNTS, as_set_up
from shared.measurements.repository.writing import array, ensure_months, share_tree, texts
from tenant_context.postgres import Transaction

_TOTALS: LiteralString = "    SELECT (SELECT count(*) FROM written WHERE old_revision IS NULL),"
_EACH: LiteralString = """
    SELECT b.batch_id, coalesce(w.stored, 0), coalesce(w.revised, 0), coalesce(k.known, 0), coalesce(u.unknown, '{}')
    FROM (SELECT DISTINCT batch_id FROM input) b
    LEFT JOIN (SELECT batch_id, count(*) FILTER (WHERE old_revision IS NULL) AS stored,
                      count(*) FILTER (WHERE old_revision IS NOT NULL) AS revised
               FROM written GROUP BY 1) w USING (batch_id)
    LEFT JOIN (SELECT batch_id, count(*) AS known FROM known GROUP BY 1) k USING (batch_id)
    LEFT JOIN (SELECT batch_id, array_agg(n ORDER BY n) AS unknown FROM input
               WHERE n NOT IN (SELECT n FROM known) GROUP BY 1) u USING (batch_id)"""
_WRITE_EACH: LiteralString = (
    WRITE_COUNTS.partition(_TOTALS)[0]
    .replace(
        "raw_entries, raw_exits\n        FROM unnest(",
        "raw_entries, raw_exits, received_at, batch_id\n        FROM unnest(",
    )
    .replace("%(raw_exits)s::integer[])", "%(raw_exits)s::integer[], %(received)s::timestamptz[], %(batches)s::uuid[])")
    .replace("raw_entries, raw_exits, n)", "raw_entries, raw_exits, received_at, batch_id, n)")
    .replace("%(received)s, %(batch)s,", "received_at, batch_id,")
    + _EACH
)


def write_each(tx: Transaction, parts: Sequence[dict[str, Any]]) -> list[tuple[Outcome, list[int]]]:
    """Parts in; of each, what became of it and the places of rows whose sensor is not there.

    They are of batches of their own and have no interval in common (`rules.apart`).
    """
    rows: Sequence[Sequence[Any]] = [row for data in parts for row in data["rows"]]
    ensure_months(tx, "people_counts", [row[2] for row in rows])
    share_tree(tx)
    rows = as_set_up(tx, rows)
    columns = zip(*(rules.padded(row) for row in rows), strict=True)
    values: dict[str, Any] = {
        name: texts(column) if name == "lines" else array(column)
        for name, column in zip(COUNT_COLUMNS, columns, strict=True)
    }
    values |= {
        "tenant": tx.tenant.tenant,
        "received": array([data["received_at"] for data in parts for _ in data["rows"]]),
        "batches": array([data["batch"] for data in parts for _ in data["rows"]]),
        "derived": False,
        "anew": False,
        "kept": False,
    }
    found = {batch: told for batch, *told in tx.all(_WRITE_EACH, values)}
    outcomes, before = list[tuple[Outcome, list[int]]](), 0
    for data in parts:
        stored, revised, known, unknown = found[UUID(data["batch"])]
        outcome = Outcome(stored, known - stored - revised, revised, len(unknown))
        outcomes.append((outcome, [int(place) - 1 - before for place in unknown]))
        before += len(data["rows"])
    return outcomes
