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
    "revocations",
    "data_keys",
)
"""Tables of DynamoDB with items of tenants. What opens doors goes first: nobody comes back in while the rest goes."""
KEPT = {
    "credentials": "belongs to people; goes with those who belong nowhere else",
    "leases": "the platform's own: which timed work is under way",
    "signing_keys": "the platform's own",
}
"""The other tables, and why nothing of a tenant's is in them."""


def stores_of(items: Callable[[str], Store], archives: Store) -> dict[str, Store]:
    """The stores by the names that certificates use; `items` opens a table."""
    return {**{f"dynamodb/{name}": items(name) for name in ITEMS}, "s3/exports": archives}
