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


def stores_of(
    items: Callable[[str], Store], flags: Store, archives: tuple[Store, Store], files: tuple[Store, Store]
) -> dict[str, Store]:
    """The stores by the names that certificates use; `items` opens a table, `flags` is where flags name a tenant.

    Of archives, and of files that were uploaded, what is being put comes before what is there: what is completed until
    then is found, and nothing can be afterwards.
    """
    tables = {f"dynamodb/{name}": items(name) for name in ITEMS}
    objects = {"s3/uploads": archives[0], "s3/exports": archives[1], "s3/files_begun": files[0], "s3/files": files[1]}
    return {**tables, "flags": flags, **objects}
