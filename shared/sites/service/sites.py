"""Sites and the tree they are in, as a function uses them."""

from dataclasses import asdict, replace
from datetime import datetime

from shared.hours.errors import WrongHours
from shared.hours.model import Hours, Openness
from shared.hours.rules import EARLIEST, LATEST, check_hours, open_at
from shared.sites import rules
from shared.sites.errors import NotAStore
from shared.sites.gateway import Directory
from shared.sites.model import After, Kind, Node, Placement, Site, SiteDraft, SiteId, Wanted
from shared.sites.repository.sensors import SensorRepository
from shared.sites.repository.sites import SiteRepository
from shared.sites.repository.tree import TreeRepository
from shared.sites.service.telling import at_version, tell
from tenant_context.clock import NewId
from tenant_context.context import TenantContext
from tenant_context.events import Event
from tenant_context.postgres import Transaction

_OF_ITSELF = ("kind", "parent_id")
"""What a draft says that stays with the site when its particulars are replaced."""


class Sites:
    """Create, change, move and read the caller's sites."""

    def __init__(
        self,
        sites: SiteRepository,
        tree: TreeRepository,
        directory: Directory,
        new_id: NewId,
        sensors: SensorRepository | None = None,
    ) -> None:
        self._sites = sites
        self._tree = tree
        self._directory = directory
        self._new_id = new_id
        self._sensors = sensors

    def create(self, tx: Transaction, draft: SiteDraft) -> Site:
        """A new site; emits site.created. Errors: UnknownTimeZone, WrongSite, WrongParent, CodeTaken, LimitReached."""
        rules.check_site(draft)
        rules.check_code(draft.code or "")
        holder = None if draft.parent_id is None else self._tree.kind(tx, draft.parent_id)
        rules.check_parent(draft.kind, holder)
        site_id = SiteId(self._new_id())
        said = asdict(draft) | {"code": draft.code or rules.code_of(draft.name, site_id), "kind": draft.kind.value}
        site = Site(**said, id=site_id, version=1, created_at=tx.now, updated_at=tx.now)
        self._sites.insert(tx, site)
        if draft.parent_id is not None and holder is not None:
            self._tree.put(tx, site, draft.parent_id, holder)
        if draft.kind is Kind.SITE:
            self._directory.list_site(tx.tenant, site)
        tx.emit(_event("site.created", site))
        return site

    def amend(self, tx: Transaction, site_id: SiteId, draft: SiteDraft, version: int) -> Site:
        """Other particulars; its kind and what it is in stay. Emits site.updated.

        Errors: PreconditionFailed, UnknownTimeZone, WrongSite, CodeTaken.
        """
        rules.check_site(draft)
        before = self._sites.lock(tx, site_id)
        at_version(before.version, version)
        if draft.code != before.code:
            rules.check_code(draft.code or "")
        said = {name: value for name, value in asdict(draft).items() if name not in _OF_ITSELF}
        said["code"] = draft.code or before.code
        after = replace(before, **said, version=before.version + 1, updated_at=tx.now)
        self._sites.update(tx, after)
        if after.kind == Kind.SITE and after.code != before.code:
            self._directory.list_site(tx.tenant, after)
            tx.after_commit(lambda: self._directory.unlist_code(tx.tenant, site_id, before.code))
        if after.time_zone != before.time_zone and self._sensors is not None:
            tell(tx, self._directory, self._sensors, site=site_id)
        tx.emit(_event("site.updated", after))
        return after

    def move(self, tx: Transaction, site_id: SiteId, parent: SiteId | None, version: int) -> Site:
        """Put a site into another place, or into none; where it was is kept. Emits site.moved.

        Errors: PreconditionFailed, WrongParent, ZoneInUse.
        """
        before = self._sites.lock(tx, site_id)
        at_version(before.version, version)
        holder = None if parent is None else self._tree.kind(tx, parent)
        rules.check_parent(Kind(before.kind), holder)
        if parent == before.parent_id:
            return before
        after = replace(before, parent_id=parent, version=before.version + 1, updated_at=tx.now)
        if parent is None or holder is None:
            self._tree.leave(tx, before)
        else:
            self._tree.put(tx, before, parent, holder)
        self._sites.touch(tx, after)
        tx.emit(_moved(before, after))
        return after

    def remove(self, tx: Transaction, site_id: SiteId) -> None:
        """Remove what has no sensors, campaigns or receipts, and nothing within it; emits site.removed.

        Errors: SiteInUse.
        """
        kind, code, parent = self._sites.delete(tx, site_id)
        if kind == Kind.SITE:
            tx.after_commit(lambda: self._directory.unlist_site(tx.tenant, site_id, code))
        was_in = None if parent is None else str(parent)
        data = {"id": str(site_id), "code": code, "kind": kind, "parent_id": was_in}
        tx.emit(Event("site.removed", f"site/{site_id}", data))

    def show(self, tenant: TenantContext, site_id: SiteId) -> Site:
        """A site. Errors: SiteNotFound."""
        return self._sites.show(tenant, site_id)

    def page(
        self, tenant: TenantContext, wanted: Wanted, *, after: After | None, limit: int
    ) -> list[tuple[Site, str | None]]:
        """Sites in order, each with what it is ordered by."""
        return self._sites.page(tenant, wanted, after=after, limit=limit)

    def tree(self, tenant: TenantContext, site_id: SiteId, at: datetime | None) -> list[Node]:
        """A site and all that is within it, or was at a moment. Errors: SiteNotFound, TreeTooLarge."""
        return self._tree.below(tenant, site_id, at)

    def placements(self, tenant: TenantContext, site_id: SiteId) -> list[Placement]:
        """What a site is in, and was before. Errors: SiteNotFound."""
        self._sites.show(tenant, site_id)
        return self._tree.placements(tenant, site_id)

    def hours(self, tenant: TenantContext, site_id: SiteId) -> tuple[Hours, int]:
        """When a store is open, and its version. Errors: SiteNotFound, NotAStore."""
        hours, _, version = self._hours(tenant, site_id)
        return hours, version

    def open_at(self, tenant: TenantContext, site_id: SiteId, at: datetime) -> Openness:
        """Whether a store is open at a moment. Errors: SiteNotFound, NotAStore, WrongHours."""
        if not EARLIEST <= at < LATEST:
            raise WrongHours("?at", "moment", f"must be between {EARLIEST.year} and {LATEST.year}")
        hours, time_zone, _ = self._hours(tenant, site_id)
        if hours == Hours():
            return Openness(at, time_zone, None, None, None, "no opening hours are kept")
        return open_at(hours, time_zone, at)

    def keep_hours(self, tx: Transaction, site_id: SiteId, hours: Hours, version: int) -> Site:
        """Other opening hours; emits site.updated. Errors: PreconditionFailed, NotAStore, WrongHours."""
        check_hours(hours)
        before = self._sites.lock(tx, site_id)
        at_version(before.version, version)
        if before.kind != Kind.SITE:
            raise NotAStore
        after = replace(before, version=before.version + 1, updated_at=tx.now)
        self._sites.keep_hours(tx, after, hours)
        self._sites.touch(tx, after)
        tx.emit(_event("site.updated", after))
        return after

    def _hours(self, tenant: TenantContext, site_id: SiteId) -> tuple[Hours, str, int]:
        hours, time_zone, kind, version = self._sites.hours(tenant, site_id)
        if kind != Kind.SITE:
            raise NotAStore
        return hours, time_zone, version


def _event(kind: str, site: Site) -> Event:
    data = {"id": str(site.id), "kind": site.kind, "name": site.name, "code": site.code, "time_zone": site.time_zone}
    return Event(kind, f"site/{site.id}", {**data, "version": site.version})


def _moved(before: Site, after: Site) -> Event:
    data = {
        "id": str(after.id),
        "kind": after.kind,
        "code": after.code,
        "parent_id": str(after.parent_id) if after.parent_id else None,
        "previous_parent_id": str(before.parent_id) if before.parent_id else None,
        "version": after.version,
    }
    return Event("site.moved", f"site/{after.id}", data)
