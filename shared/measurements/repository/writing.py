"""What all that writes raw rows shares: months that are there before their rows, and what became of those."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, LiteralString
from uuid import UUID

from shared.measurements.model import Outcome
from tenant_context.postgres import Transaction

_MONTHS: LiteralString = "SELECT app.ensure_month(%s, month) FROM unnest(%s::timestamptz[]) AS month"

_SHARE_TREE: LiteralString = "SELECT app.share_tree(%s)"
_HOLD_TREE: LiteralString = "SELECT app.hold_tree(%s)"


def array(values: Iterable[object]) -> str:
    """Ids, moments or numbers as PostgreSQL writes an array; the driver looks at each, which takes much longer."""
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"


def texts(values: Sequence[str]) -> str:
    """Any texts as PostgreSQL writes an array."""
    quoted = {value: value.replace("\\", "\\\\").replace('"', '\\"') for value in values}
    return "{" + ",".join([f'"{quoted[value]}"' for value in values]) + "}"


def share_tree(tx: Transaction) -> None:
    """Until the transaction ends nothing moves in the tenant's tree: what is added goes where its stores are."""
    tx.run(_SHARE_TREE, (tx.tenant.tenant,))


def hold_tree(tx: Transaction) -> None:
    """The same, and nobody else writes rollups: for who writes them twice, in no order that others could know."""
    tx.run(_HOLD_TREE, (tx.tenant.tenant,))


def write(
    tx: Transaction, statement: LiteralString, data: dict[str, Any], columns: dict[str, Any]
) -> tuple[Outcome, list[int]]:
    """Run a statement that writes part of a batch; what became of its rows, and the places of those it did not know."""
    values = {"tenant": tx.tenant.tenant, "received": data["received_at"], "batch": UUID(data["batch"])}
    row = tx.one(statement, {**values, **columns})
    if row is None:
        raise AssertionError("a SELECT of counts answers one row")
    stored, revised, known, unknown = row
    outcome = Outcome(stored, known - stored - revised, revised, len(unknown))
    return outcome, [int(place) - 1 for place in unknown]


def ensure_months(tx: Transaction, table: str, moments: Sequence[str]) -> None:
    """Make the partitions that rows of these moments need."""
    # What the door queues is of UTC, and then the month is in front: of thousands of moments, one or two are read.
    some = {moment[:7] if moment.endswith("Z") else moment: moment for moment in moments}
    first = {
        datetime.fromisoformat(moment).astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        for moment in some.values()
    }
    tx.run(_MONTHS, (table, sorted(first)))
