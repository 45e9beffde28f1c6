"""Which stores an erasure empties, apart from PostgreSQL, and in which order."""

from collections.abc import Callable

from shared.erasure.model import Store

ITEMS = (
    "sessions",
    "api_keys",
    "tickets",
    "devices",
    "deliveries",
    "rates",
    "answers",
    "revocations",
    "suppressions",
    "data_keys",
)
"""Tables of DynamoDB with items of tenants. What opens doors goes first: nobody comes back in while the rest goes."""
KEPT = {
    "credentials": "belongs to people; goes with those who belong nowhere else",
    "leases": "the platform's own: how far timed work came, for a time by the id of the tenant it came to",
    "signing_keys": "the platform's own",
}
"""The other tables, and why an erasure leaves them."""


def stores_of(items: Callable[[str], Store], flags: Store, uploads: Store, archives: Store) -> dict[str, Store]:
    """The stores by the names that certificates use; `items` opens a table, `flags` is where flags name a tenant.

    Uploads before archives: what is completed until then is found, and nothing can be afterwards.
    """
    tables = {f"dynamodb/{name}": items(name) for name in ITEMS}
    return {**tables, "flags": flags, "s3/uploads": uploads, "s3/exports": archives}
