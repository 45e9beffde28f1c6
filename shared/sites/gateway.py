"""The directory of devices in DynamoDB, which the ingest door reads."""

from uuid import UUID

from shared.sites.model import Sensor, Site, SiteId
from tenant_context.context import TenantContext
from tenant_context.dynamo import Table, TenantTable


class Directory:
    """Which sensors and sites a tenant has, by id and by the tenant's own name for them.

    Written before the row in PostgreSQL commits, so that a device can push at once; an entry whose row never came is
    harmless, as the processor joins the row itself and quarantines what has none. Removed after the commit, so that
    nothing in service is ever refused.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def list_sensor(self, tenant: TenantContext, sensor: Sensor) -> None:
        """Make a sensor known by its id and its serial."""
        for reference in (str(sensor.id), sensor.serial):
            self._put(tenant, "sensors", reference, sensor.id)

    def unlist_sensor(self, tenant: TenantContext, sensor: Sensor) -> None:
        """Forget a sensor."""
        for reference in (str(sensor.id), sensor.serial):
            self._remove(tenant, "sensors", reference, sensor.id)

    def list_site(self, tenant: TenantContext, site: Site) -> None:
        """Make a site known by its id and its code."""
        for reference in (str(site.id), site.code):
            self._put(tenant, "sites", reference, site.id)

    def unlist_site(self, tenant: TenantContext, site: SiteId, code: str) -> None:
        """Forget a site."""
        self._remove(tenant, "sites", str(site), site)
        self.unlist_code(tenant, site, code)

    def unlist_code(self, tenant: TenantContext, site: SiteId, code: str) -> None:
        """Forget a code, unless another site has it by now."""
        self._remove(tenant, "sites", code, site)

    def restore(self, tenant: TenantContext, kind: str, known: dict[str, UUID]) -> int:
        """Put what is missing or wrong among the references that should be known; answers how many were."""
        present = self.find(tenant, kind, set(known))
        lost = {reference: thing for reference, thing in known.items() if present.get(reference) != thing}
        for reference, thing in lost.items():
            self._put(tenant, kind, reference, thing)
        return len(lost)

    def find(self, tenant: TenantContext, kind: str, references: set[str]) -> dict[str, UUID]:
        """The ids behind the references that exist; `kind` is `sensors` or `sites`."""
        keys = [(kind, reference) for reference in references if 0 < len(reference.encode()) <= 512]  # noqa: PLR2004  DynamoDB takes 1,024
        found = TenantTable(self._table, tenant).get_many(keys)
        return {item["sk"]: UUID(item["id"]) for item in found}

    def _put(self, tenant: TenantContext, kind: str, reference: str, thing: UUID) -> None:
        TenantTable(self._table, tenant).put(kind, reference, {"id": str(thing)})

    def _remove(self, tenant: TenantContext, kind: str, reference: str, thing: UUID) -> None:
        TenantTable(self._table, tenant).delete(kind, reference, only_if=("id", str(thing)))
