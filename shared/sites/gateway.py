"""The directory of devices in DynamoDB, which the ingest door reads."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from shared.sites.model import Known, Listed, Profile, Site, SiteId, reads_as_id
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

    def list_sensor(self, tenant: TenantContext, listed: Listed) -> None:
        """Make a new sensor known by its id and its serial."""
        for reference, about in _entries(listed).items():
            self._put(tenant, "sensors", reference, listed.sensor.id, about)

    def tell(self, tenant: TenantContext, listed: Listed) -> None:
        """Make a sensor's new profile and devices known, once it is committed.

        A later one that came before it stays; what was one of its devices and is another sensor's by now is that one's.
        """
        for reference, about in _entries(listed).items():
            present = {name: value for name, value in about.items() if value is not None}
            gone = [name for name, value in about.items() if value is None]
            names = {f"#{name}": name for name in (*about, "id", "tenant")}
            values = {f":{name}": value for name, value in present.items()}
            values |= {":id": str(listed.sensor.id), ":tenant": str(tenant.tenant)}
            changes = "SET " + ", ".join(f"#{name} = :{name}" for name in (*present, "id", "tenant"))
            if gone:
                changes += " REMOVE " + ", ".join(f"#{name}" for name in gone)
            condition = "attribute_not_exists(#version) OR #version <= :version"
            if "until" in present:
                condition = f"attribute_not_exists(#version) OR (#id = :id AND ({condition}))"
            else:
                condition += " OR (#id <> :id AND attribute_exists(#until))"
            with suppress(ConditionFailed):
                TenantTable(self._table, tenant).update(
                    "sensors", reference, changes, values, condition=condition, names=names
                )

    def unlist_sensor(self, tenant: TenantContext, listed: Listed) -> None:
        """Forget a sensor, and the devices that it was."""
        for reference in _entries(listed):
            self._remove(tenant, "sensors", reference, listed.sensor.id)

    def list_site(self, tenant: TenantContext, site: Site) -> None:
        """Make a site known by its id and its code."""
        for reference in _safe({site.code: site.id, str(site.id): site.id}):
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
        safe = _safe(known)
        present = self.find(tenant, "sites", set(safe))
        lost = {reference: thing for reference, thing in safe.items() if present.get(reference) != thing}
        for reference, thing in lost.items():
            self._put(tenant, "sites", reference, thing)
        return len(lost)

    def restore_sensors(self, tenant: TenantContext, listed: Iterable[Listed]) -> int:
        """The same of sensors; a device that two have been is the one's that it is, or was last."""
        wanted: list[tuple[str, str, Listed, dict[str, Any]]] = []
        for one in listed:
            wanted += [(about["until"] or "9", ref, one, about) for ref, about in _entries(one).items()]
        known = {ref: (one, about) for _, ref, one, about in sorted(wanted, key=lambda each: each[0])}
        present = self.look_up(tenant, set(known))
        lost = {
            ref: (one, about)
            for ref, (one, about) in known.items()
            if present.get(ref) != _known({**about, "id": str(one.sensor.id)})
        }
        for reference, (one, about) in lost.items():
            self._put(tenant, "sensors", reference, one.sensor.id, about)
        return len(lost)

    def look_up(self, tenant: TenantContext, references: set[str]) -> dict[str, Known]:
        """The sensors behind the references that exist, and how each is read."""
        items = self._items(tenant, "sensors", references)
        return {item["sk"]: _known(item) for item in items}

    def find(self, tenant: TenantContext, kind: str, references: set[str]) -> dict[str, UUID]:
        """The ids behind the references that exist; `kind` is `sensors` or `sites`."""
        return {item["sk"]: UUID(item["id"]) for item in self._items(tenant, kind, references)}

    def _items(self, tenant: TenantContext, kind: str, references: set[str]) -> list[dict[str, Any]]:
        keys = [(kind, reference) for reference in references if 0 < len(reference.encode()) <= 512]  # noqa: PLR2004  DynamoDB takes 1,024
        return list(TenantTable(self._table, tenant).get_many(keys))

    def _put(
        self, tenant: TenantContext, kind: str, reference: str, thing: UUID, about: Mapping[str, Any] | None = None
    ) -> None:
        told = {name: value for name, value in (about or {}).items() if value is not None}
        TenantTable(self._table, tenant).put(kind, reference, {**told, "id": str(thing)})

    def _remove(self, tenant: TenantContext, kind: str, reference: str, thing: UUID) -> None:
        TenantTable(self._table, tenant).delete(kind, reference, only_if=("id", str(thing)))


def _entries(listed: Listed) -> dict[str, dict[str, Any]]:
    """What the door is told of a sensor, by each reference to it; a device that it is again is its present one."""
    sensor = listed.sensor
    about: dict[str, Any] = {
        "profile": msgspec.json.encode(listed.profile).decode(),
        "version": sensor.version,
        "since": None,
        "until": None,
    }
    entries = {
        **{serial: {**about, "until": until.isoformat()} for serial, until in listed.past},
        str(sensor.id): about,
        sensor.serial: {**about, "since": listed.since.isoformat() if listed.since else None},
    }
    return {one: entries[one] for one in _safe(dict.fromkeys(entries, sensor.id))}


def _safe(known: Mapping[str, UUID]) -> dict[str, UUID]:
    """References without codes and serials that read as ids, as what was imported may have: an id is its own alone."""
    return {one: thing for one, thing in known.items() if one == str(thing) or not reads_as_id(one)}


def _known(item: Mapping[str, Any]) -> Known:
    since, until = item.get("since"), item.get("until")
    return Known(
        UUID(item["id"]),
        _profile(item.get("profile")),
        datetime.fromisoformat(since) if since else None,
        datetime.fromisoformat(until) if until else None,
    )


def _profile(text: str | None) -> Profile:
    return _PLAIN if text is None else msgspec.json.decode(text, type=Profile)
