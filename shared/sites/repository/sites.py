"""Sites in PostgreSQL."""

from typing import LiteralString
from uuid import UUID

import msgspec
from psycopg import errors
from psycopg.types.json import Jsonb

from shared.hours.model import Hours
from shared.sites.errors import CodeTaken, SiteInUse, SiteNotFound
from shared.sites.model import After, Order, Site, SiteId, Wanted
from tenant_context.context import TenantContext
from tenant_context.postgres import Database, Row, Transaction

_SITE: LiteralString = """
    s.id, s.kind, (SELECT t.parent_id FROM site_tree t WHERE t.tenant_id = s.tenant_id AND t.site_id = s.id), s.name,
    s.code, s.address, s.city, s.postal_code, s.country, s.latitude, s.longitude, s.time_zone, s.area_m2,
    s.sales_area_m2, s.metadata, s.version, s.created_at, s.updated_at"""
_SHOW: LiteralString = f"SELECT {_SITE} FROM sites s WHERE s.tenant_id = %s AND s.id = %s"
_LOCK: LiteralString = f"{_SHOW} FOR UPDATE OF s"
_PAGE: LiteralString = f"""
    SELECT {_SITE}, f.distance_m, s.sort_name
    FROM app.find_sites(%(kind)s, %(words)s, %(metadata)s, %(parent)s, %(within)s, %(roots)s, %(latitude)s,
                        %(longitude)s, %(radius)s, %(order)s, %(key)s, %(after)s, %(limit)s)
         WITH ORDINALITY f (id, distance_m, place)
    JOIN sites s ON s.tenant_id = %(tenant)s AND s.id = f.id
    ORDER BY f.place"""
_REFERENCES: LiteralString = "SELECT id, code FROM sites WHERE tenant_id = %s AND kind = 'site'"
_INSERT: LiteralString = """
    INSERT INTO sites (tenant_id, id, kind, name, code, address, city, postal_code, country, latitude, longitude,
                       time_zone, area_m2, sales_area_m2, metadata, version, created_at, updated_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING 1"""
_UPDATE: LiteralString = """
    UPDATE sites SET name = %s, code = %s, address = %s, city = %s, postal_code = %s, country = %s, latitude = %s,
           longitude = %s, time_zone = %s, area_m2 = %s, sales_area_m2 = %s, metadata = %s, version = %s,
           updated_at = %s
    WHERE tenant_id = %s AND id = %s RETURNING 1"""
_TOUCH: LiteralString = "UPDATE sites SET version = %s, updated_at = %s WHERE tenant_id = %s AND id = %s"
_HOLD_TREE: LiteralString = "SELECT app.hold_tree(%s)"
_DELETE: LiteralString = """
    DELETE FROM sites s WHERE s.tenant_id = %(tenant)s AND s.id = %(site)s
        AND NOT EXISTS (SELECT FROM sales_15m r WHERE r.tenant_id = %(tenant)s AND r.site_id = %(site)s)
        AND NOT EXISTS (SELECT FROM footfall_15m f WHERE f.tenant_id = %(tenant)s AND f.site_id = %(site)s)
    RETURNING s.kind, s.code,
        (SELECT t.parent_id FROM site_tree t WHERE t.tenant_id = s.tenant_id AND t.site_id = s.id)"""
_HOURS: LiteralString = "SELECT hours, time_zone, kind, version FROM sites WHERE tenant_id = %s AND id = %s"
_KEEP_HOURS: LiteralString = "UPDATE sites SET hours = %s WHERE tenant_id = %s AND id = %s"


class SiteRepository:
    """Sites of one tenant at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def show(self, tenant: TenantContext, site: SiteId) -> Site:
        """A site. Errors: SiteNotFound."""
        rows = self._database.read(tenant, _SHOW, (tenant.tenant, site))
        if not rows:
            raise SiteNotFound
        return _site(rows[0])

    def page(
        self, tenant: TenantContext, wanted: Wanted, *, after: After | None, limit: int
    ) -> list[tuple[Site, str | None]]:
        """Sites in order, each with what it is ordered by, for the next page."""
        near = wanted.near
        values = {
            "tenant": tenant.tenant,
            "kind": wanted.kind,
            "words": wanted.words,
            "metadata": None if wanted.metadata is None else Jsonb(wanted.metadata),
            "parent": wanted.parent,
            "within": wanted.within,
            "roots": wanted.roots,
            "latitude": near.latitude if near else None,
            "longitude": near.longitude if near else None,
            "radius": near.radius_m if near else None,
            "order": wanted.order,
            "key": after.key if after else None,
            "after": after.id if after else None,
            "limit": limit,
        }
        rows = self._database.read(tenant, _PAGE, values)
        return [(_site(row[:-1]), _key(wanted.order, row)) for row in rows]

    def lock(self, tx: Transaction, site: SiteId) -> Site:
        """The site, held until the transaction ends. Errors: SiteNotFound."""
        row = tx.one(_LOCK, (tx.tenant.tenant, site))
        if row is None:
            raise SiteNotFound
        return _site(row)

    def references(self, tx: Transaction) -> dict[str, UUID]:
        """Every name that a store is known by, its id among them."""
        rows = tx.all(_REFERENCES, (tx.tenant.tenant,))
        return {reference: row[0] for row in rows for reference in (str(row[0]), row[1])}

    def insert(self, tx: Transaction, site: Site) -> None:
        """A new site. Errors: CodeTaken."""
        values = (
            tx.tenant.tenant,
            site.id,
            site.kind,
            *_particulars(site),
            site.version,
            site.created_at,
            site.updated_at,
        )
        try:
            tx.one(_INSERT, values)
        except errors.UniqueViolation as error:
            raise CodeTaken from error

    def update(self, tx: Transaction, site: Site) -> None:
        """New particulars. Errors: CodeTaken."""
        values = (*_particulars(site), site.version, site.updated_at, tx.tenant.tenant, site.id)
        try:
            tx.one(_UPDATE, values)
        except errors.UniqueViolation as error:
            raise CodeTaken from error

    def touch(self, tx: Transaction, site: Site) -> None:
        """A new version, where something about the site changed that is kept elsewhere."""
        tx.run(_TOUCH, (site.version, site.updated_at, tx.tenant.tenant, site.id))

    def delete(self, tx: Transaction, site: SiteId) -> tuple[str, str, UUID | None]:
        """Remove a site and answer its kind, its code and what it was in. Errors: SiteNotFound, SiteInUse.

        Whoever is writing of the place is waited for: their rows are seen, or they find that the place is gone.
        """
        tx.run(_HOLD_TREE, (tx.tenant.tenant,))
        try:
            row = tx.one(_DELETE, {"tenant": tx.tenant.tenant, "site": site})
        except errors.ForeignKeyViolation as error:
            raise SiteInUse from error
        if row is None:
            self.lock(tx, site)
            raise SiteInUse
        return str(row[0]), str(row[1]), row[2]

    def hours(self, tenant: TenantContext, site: SiteId) -> tuple[Hours, str, str, int]:
        """When a site is open, its zone and kind, and its version. Errors: SiteNotFound."""
        rows = self._database.read(tenant, _HOURS, (tenant.tenant, site))
        if not rows:
            raise SiteNotFound
        hours, time_zone, kind, version = rows[0]
        return msgspec.convert(hours, Hours), time_zone, kind, version

    def keep_hours(self, tx: Transaction, site: Site, hours: Hours) -> None:
        """Other opening hours."""
        tx.run(_KEEP_HOURS, (Jsonb(msgspec.to_builtins(hours)), tx.tenant.tenant, site.id))


def _particulars(site: Site) -> tuple[object, ...]:
    return (
        site.name,
        site.code,
        site.address,
        site.city,
        site.postal_code,
        site.country,
        site.latitude,
        site.longitude,
        site.time_zone,
        site.area_m2,
        site.sales_area_m2,
        Jsonb(site.metadata),
    )


def _site(row: Row) -> Site:
    return Site(*row)


def _key(order: Order, row: Row) -> str | None:
    """What a row of a page is ordered by, in the text that `app.find_sites` takes."""
    keys = {Order.NAME: row[-1], Order.CODE: row[4], Order.DISTANCE: row[-2]}
    key = keys.get(Order(order.lstrip("-")))
    return None if key is None else str(key)
