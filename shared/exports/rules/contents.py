"""What is in an archive and what is left out, decided by names and types, so that a new table needs no line here."""

import re
from collections.abc import Iterable

from shared.exports.errors import Damaged
from shared.exports.model import Column, Table

LEFT_OUT = {
    "alert_turns": "which rule is judged next",
    "exports": "the list of archives, this one included",
    "export_parts": "the list of archives, this one included",
    "erasures": "written when everything else has gone",
    "idempotency_keys": "answers kept for a day, in case a request comes twice",
    "metric_epochs": "how often numbers changed, by which kept answers are known to hold",
    "metric_versions": "the same",
    "outbox": "events on their way; the audit log has them",
}
"""Tables that no archive holds, and why. Every other table of tenants is in it."""
OWN = "tenants"
"""The tenant's own row: in the archive, and never taken over by another tenant."""
_STAYS = re.compile(
    r"(billing|dunning|usage)_.*|inbox|grants|.*domains|memberships|provider_subjects|invitations|ingest_uploads"
)


def taken_over(table: str) -> bool:
    """Whether another tenant that is filled from an archive gets a table's rows.

    In the archive and not taken over: what a tenant is and pays, which the other is and pays for itself (its usage
    would be told to Stripe once more, and grants are operators' to give), domains, which are proved by DNS anew, and
    uploads, whose files are the other's.
    And who belongs to it: nobody becomes a member of another tenant, nor gets a role there, without having agreed to.
    """
    return table != OWN and table not in LEFT_OUT and _STAYS.fullmatch(table) is None


ITEMS = ("api_keys", "deliveries", "devices")
"""The tables of DynamoDB whose items are worth keeping; sessions, tickets and leases are not."""

PEOPLE = "people/members"
"""Who the members are: names and mail addresses, which an import does not take over."""

_SECRET = re.compile(r"secret|password|digest|token|seed|ciphertext|hash")


def is_secret(column: Column) -> bool:
    """Whether a column stays behind: whatever is sealed (bytes), and whatever its name says is secret."""
    return column.kind == "bytea" or _SECRET.search(column.name) is not None


def shown(table: Table) -> tuple[str, ...]:
    """The columns that are in the archive: all but the tenant's id, which is the same in each row, and secrets."""
    return tuple(column.name for column in table.columns if column.name != "tenant_id" and not is_secret(column))


def redacted(table: Table) -> list[str]:
    """The columns that stay behind."""
    return [column.name for column in table.columns if is_secret(column)]


def without_secrets(item: dict[str, object]) -> dict[str, object]:
    """An item of DynamoDB as the archive shows it."""
    kept = {name: value for name, value in item.items() if not _SECRET.search(name) and not isinstance(value, bytes)}
    return {name: _plain(value) for name, value in kept.items() if name not in {"tenant", "pk", "gsi1pk"}}


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items() if not _SECRET.search(name)}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return value if isinstance(value, str | int | bool) or value is None else str(value)


def in_order(tables: Iterable[Table]) -> list[Table]:
    """What is referred to before what refers to it, and by name where neither does."""
    waiting = {table.name: table for table in sorted(tables, key=lambda table: table.name)}
    ordered: list[Table] = []
    while waiting:
        free = [table for table in waiting.values() if not (table.references - {table.name}) & waiting.keys()]
        if not free:
            raise Damaged(f"tables refer to each other in a circle: {sorted(waiting)}")
        ordered += [waiting.pop(table.name) for table in free]
    return ordered
