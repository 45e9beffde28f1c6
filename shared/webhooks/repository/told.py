"""Of which events the owners of endpoints were told by mail, beside the deliveries; kept while an event may come again.

told#<event> / mail
"""

from datetime import datetime, timedelta
from uuid import UUID

from tenant_context.context import TenantContext
from tenant_context.dynamo import Table, TenantTable

_SK = "mail"
_KEPT = timedelta(days=35)
"""Longer than an endpoint fails before it is disabled, or the bus keeps what it could not hand on."""


class ToldRepository:
    """Reads and notes it."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def has(self, tenant: TenantContext, event: UUID) -> bool:
        """Whether all owners were told."""
        return TenantTable(self._table, tenant).get(_key(event), _SK) is not None

    def note(self, tenant: TenantContext, event: UUID, now: datetime) -> None:
        """All owners were told."""
        TenantTable(self._table, tenant).put(_key(event), _SK, {"expires_at": int((now + _KEPT).timestamp())})


def _key(event: UUID) -> str:
    return f"told#{event}"
