"""Flags that name a tenant: one item for all tenants, so that the tenant is taken out of it and the item stays."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from tenant_context.flags import Shelf


class Mentions:
    """A tenant's names in flags, as a store that is emptied."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def page(self, tenant: UUID, _after: Any) -> tuple[list[Any], Any]:
        """The flags that name the tenant, each with its id; there is no next page."""
        return [[name, str(tenant)] for name in self._shelf.naming(tenant)], None

    def delete(self, keys: Sequence[Any]) -> None:
        """Take the tenant out of flags; one that names it no more is no error."""
        for name, tenant in keys:
            self._shelf.forget(name, UUID(tenant))
