"""The directory of devices in DynamoDB, which the ingest door reads."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from uuid import UUID

import msgspec

from shared.sites.model import Known, Profile, Sensor, Site, SiteId
from tenant_context.context import TenantContext
from tenant_context.dynamo import ConditionFailed, Table, TenantTable

_PLAIN = Profile()


class Directory:
    """Which sensors and sites a tenant has, by id and by the tenant's own name for them.

    Written before the row in PostgreSQL commits, so that a device can push at once; an entry whose row never came is
    harmless, as the processor joins the row itself and quarantines what has none. Removed after the commit, so that
    nothing in service is ever refused.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def list_sensor(self, tenant: TenantContext, sensor: Sensor, profile: Profile) -> None:
        """Make a new sensor known by its id and its serial."""
        for reference in (str(sensor.id), sensor.serial):
            self._put(tenant, "sensors", reference, sensor.id, _told(profile, sensor.version))

    def tell(self, tenant: TenantContext, sensor: Sensor, profile: Profile) -> None:
        """Make a listed sensor's new profile known, once it is committed; a later one that came before it stays."""
        told = _told(profile, sensor.version)
        names = {f"#{name}": name for name in (*told, "id", "tenant")}
        values = {f":{name}": value for name, value in told.items()}
        values |= {":id": str(sensor.id), ":tenant": str(tenant.tenant)}
        changes = ", ".join(f"#{name} = :{name}" for name in (*told, "id", "tenant"))
        condition = "attribute_not_exists(#version) OR #version <= :version"
        for reference in (str(sensor.id), sensor.serial):
            with suppress(ConditionFailed):
                TenantTable(self._table, tenant).update(
                    "sensors", reference, f"SET {changes}", values, condition=condition, names=names
                )

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

    def restore(self, tenant: TenantContext, known: Mapping[str, UUID]) -> int:
        """Put what is missing or wrong among the sites that should be known; answers how many were."""
        present = self.find(tenant, "sites", set(known))
        lost = {reference: thing for reference, thing in known.items() if present.get(reference) != thing}
        for reference, thing in lost.items():
            self._put(tenant, "sites", reference, thing)
        return len(lost)

    def restore_sensors(self, tenant: TenantContext, known: Mapping[str, tuple[Known, int]]) -> int:
        """The same of sensors, each with its version."""
        present = self.look_up(tenant, set(known))
        lost = {reference: one for reference, one in known.items() if present.get(reference) != one[0]}
        for reference, (sensor, version) in lost.items():
            self._put(tenant, "sensors", reference, sensor.id, _told(sensor.profile, version))
        return len(lost)

    def look_up(self, tenant: TenantContext, references: set[str]) -> dict[str, Known]:
        """The sensors behind the references that exist, and how each is read."""
        items = self._items(tenant, "sensors", references)
        return {item["sk"]: Known(UUID(item["id"]), _profile(item.get("profile"))) for item in items}

    def find(self, tenant: TenantContext, kind: str, references: set[str]) -> dict[str, UUID]:
        """The ids behind the references that exist; `kind` is `sensors` or `sites`."""
        return {item["sk"]: UUID(item["id"]) for item in self._items(tenant, kind, references)}

    def _items(self, tenant: TenantContext, kind: str, references: set[str]) -> list[dict[str, Any]]:
        keys = [(kind, reference) for reference in references if 0 < len(reference.encode()) <= 512]  # noqa: PLR2004  DynamoDB takes 1,024
        return list(TenantTable(self._table, tenant).get_many(keys))

    def _put(
        self, tenant: TenantContext, kind: str, reference: str, thing: UUID, about: Mapping[str, Any] | None = None
    ) -> None:
        TenantTable(self._table, tenant).put(kind, reference, {**(about or {}), "id": str(thing)})

    def _remove(self, tenant: TenantContext, kind: str, reference: str, thing: UUID) -> None:
        TenantTable(self._table, tenant).delete(kind, reference, only_if=("id", str(thing)))


def _told(profile: Profile, version: int) -> dict[str, Any]:
    return {"profile": msgspec.json.encode(profile).decode(), "version": version}


def _profile(text: str | None) -> Profile:
    return _PLAIN if text is None else msgspec.json.decode(text, type=Profile)
