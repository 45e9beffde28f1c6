"""Which rows of a part no table takes: PostgreSQL is asked once, of all of them, without writing any.

It says of each value whether it is one of its column's kind (`pg_input_is_valid`), which raises nothing. Of rows that
say the same thing twice the last counts. What this does not know of is looked for by trying (`rules.search`).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString

import msgspec

from shared.measurements import rules
from tenant_context.postgres import Transaction

_OF_A_COUNT = (6, rules.WITH_RAW)
_OF_A_STANDING = (5, 6)
_MONTH_THERE: LiteralString = """(
    SELECT date_trunc('month', at AT TIME ZONE 'UTC') BETWEEN '2000-01-01' AND (now() + interval '13 months')::date)"""
_RECEIPTS: LiteralString = f"""
    WITH input AS (
        SELECT * FROM unnest(%(places)s::integer[], %(sites)s::text[], %(ids)s::text[], %(times)s::text[],
                             %(currencies)s::text[], %(totals)s::text[], %(units)s::text[], %(lines)s::text[])
            AS t (place, site_id, id, at, currency, total, units, lines)
    ), good AS MATERIALIZED (
        SELECT place, site_id, id, at FROM input
        WHERE pg_input_is_valid(site_id, 'uuid') AND length(id) BETWEEN 1 AND 128 AND currency ~ '^[A-Z]{{3}}$'
          AND pg_input_is_valid(total, 'numeric') AND pg_input_is_valid(total, 'numeric(14,4)')
          AND pg_input_is_valid(units, 'numeric') AND pg_input_is_valid(units, 'numeric(14,3)')
          AND pg_input_is_valid(lines, 'jsonb') AND pg_input_is_valid(at, 'timestamptz')
    ), kept AS MATERIALIZED (
        SELECT place, site_id::uuid AS site_id, id, at::timestamptz AS at FROM good
    )
    SELECT DISTINCT ON (site_id, id, at) place FROM kept WHERE {_MONTH_THERE} ORDER BY site_id, id, at, place DESC"""
_COUNTS: LiteralString = f"""
    WITH input AS (
        SELECT * FROM unnest(%(places)s::integer[], %(standings)s::boolean[], %(sensors)s::text[], %(lines)s::text[],
                             %(times)s::text[], %(ends)s::text[], %(entries)s::text[], %(exits)s::text[],
                             %(raw_entries)s::text[], %(raw_exits)s::text[])
            AS t (place, standing, sensor_id, line, at, ends_at, entries, exits, raw_entries, raw_exits)
    ), good AS MATERIALIZED (
        SELECT place, standing, sensor_id, line, at, entries, exits FROM input
        WHERE pg_input_is_valid(sensor_id, 'uuid') AND line IS NOT NULL AND pg_input_is_valid(at, 'timestamptz')
          AND (ends_at IS NULL OR pg_input_is_valid(ends_at, 'timestamptz'))
          AND pg_input_is_valid(entries, CASE WHEN standing THEN 'bigint' ELSE 'integer' END)
          AND pg_input_is_valid(exits, CASE WHEN standing THEN 'bigint' ELSE 'integer' END)
          AND (raw_entries IS NULL OR pg_input_is_valid(raw_entries, 'integer'))
          AND (raw_exits IS NULL OR pg_input_is_valid(raw_exits, 'integer'))
    ), kept AS MATERIALIZED (
        SELECT place, standing, sensor_id::uuid AS sensor_id, line, at::timestamptz AS at, entries::bigint AS entries,
               exits::bigint AS exits
        FROM good
    )
    SELECT DISTINCT ON (standing, sensor_id, line, at) place FROM kept
    WHERE entries >= 0 AND exits >= 0 AND {_MONTH_THERE}
    ORDER BY standing, sensor_id, line, at, place DESC"""


def unwritable(tx: Transaction, kind: str, rows: Sequence[Any]) -> list[int]:
    """The places of rows that are of no use to the tables, or that a later one says anew."""
    read = _count if kind == "counts" else _receipt
    told: list[tuple[Any, ...]] = []
    for place, row in enumerate(rows):
        # A row may be anything at all here: that is what is being looked for.
        try:
            values = read(row)
        except (TypeError, ValueError, ArithmeticError, LookupError):
            continue
        if not any(isinstance(value, str) and "\x00" in value for value in values):
            told.append((place, *values))
    names = _COUNT if kind == "counts" else _RECEIPT
    columns = zip(*told, strict=True) if told else [()] * len(names)
    asked = {name: list(column) for name, column in zip(names, columns, strict=True)}
    kept = {place for (place,) in tx.all(_COUNTS if kind == "counts" else _RECEIPTS, asked)}
    return [place for place in range(len(rows)) if place not in kept]


_RECEIPT = ("places", "sites", "ids", "times", "currencies", "totals", "units", "lines")
_COUNT = (
    "places", "standings", "sensors", "lines", "times", "ends", "entries", "exits", "raw_entries", "raw_exits",
)  # fmt: skip


def _receipt(row: Sequence[Any]) -> tuple[Any, ...]:
    site, receipt, at, currency, total, cancels, lines = row
    datetime.fromisoformat(at)
    if not isinstance(cancels, str | None) or "\x00" in (cancels or ""):
        raise ValueError
    return (*map(str, (site, receipt, at, currency, total, rules.units(lines))), msgspec.json.encode(lines).decode())


def _count(row: Sequence[Any]) -> tuple[Any, ...]:
    standing = rules.is_standing(row)
    if len(row) not in (_OF_A_STANDING if standing else _OF_A_COUNT):
        raise ValueError
    sensor, line, at, *more = row
    end, entries, exits, *raw = [(*more[2:], None)[0], *more[:2]] if standing else more
    for moment in (at, end):
        if moment is not None:
            datetime.fromisoformat(moment)
    told = (sensor, line, at, end, entries, exits, *(raw or (None, None)))
    return (standing, *(None if value is None else str(value) for value in told))
