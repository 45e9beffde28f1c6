"""Permissions and settings that many rows of the catalog have in common."""

from __future__ import annotations

from typing import Final

from infra.vocabulary import Access, Queue, Secret, Table, may

RATES: Final = may(Access.LEASE, Table.RATES)
"""Of whoever answers tenants: their calls are counted for all functions together."""
TOKENS: Final = (
    *may(Access.READ_TABLE, Table.REVOCATIONS, Table.SIGNING_KEYS),
    *may(Access.WRITE_TABLE, Table.API_KEYS),  # programs come by keys, and when one was last used is noted
    *may(Access.READ_SECRET, Secret.PEPPER),
    *RATES,
    *may(Access.SEND, Queue.USAGE),  # requests are counted
)
EVENTS: Final = may(Access.PUBLISH)
SQL: Final = may(Access.CONNECT)
STRIPE: Final = may(Access.READ_SECRET, Secret.STRIPE)
