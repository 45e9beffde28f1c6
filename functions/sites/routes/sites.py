"""Sites, the tree they are in, and when they are open."""

from typing import Any

from functions.sites.routes.declared import SITE, Stores, routes
from functions.sites.schemas import sites as wire
from shared.hours.model import Hours
from shared.sites.model import Site, SiteId
from tenant_context.postgres import Transaction
from tenant_context.routing import Answer, Call, etag


def _answer(value: Site) -> Answer:
    return Answer(value, headers=etag(value.version))


def _id(call: Call[Any]) -> SiteId:
    return SiteId(call.id("site_id"))


@routes.write("POST", "/api/v1/sites", permission="sites.write", body=wire.NewSiteIn, answer=wire.SiteOut, status=201)
def create_site(call: Call[wire.NewSiteIn], tx: Transaction, stores: Stores) -> Answer:
    """Create a store, or a region, a district or a zone of a store; each is in something larger, or in nothing."""
    return _answer(stores.sites.create(tx, call.body.draft()))


@routes.read("/api/v1/sites", permission="sites.read", query=wire.SiteQuery, answer=wire.SitePage)
def sites(call: Call[None], stores: Stores) -> Answer:
    """List stores, newest first unless `sort` says otherwise; by words, metadata, place in the tree, or nearness."""
    query: wire.SiteQuery = call.query
    wanted = query.wanted()
    found = stores.sites.page(call.tenant, wanted, after=query.after_of(wanted), limit=query.limit + 1)
    return Answer(wire.page(found, wanted.order, query.limit))


@routes.read(SITE, permission="sites.read", answer=wire.SiteOut)
def show_site(call: Call[None], stores: Stores) -> Answer:
    """Read a site."""
    return _answer(stores.sites.show(call.tenant, _id(call)))


@routes.write("PUT", SITE, permission="sites.write", body=wire.SiteIn, answer=wire.SiteOut)
def amend_site(call: Call[wire.SiteIn], tx: Transaction, stores: Stores) -> Answer:
    """Replace a site's particulars; its kind, what it is in and its opening hours stay."""
    return _answer(stores.sites.amend(tx, _id(call), call.body.draft(), call.expected_version()))


@routes.write("DELETE", SITE, permission="sites.write", status=204)
def remove_site(call: Call[None], tx: Transaction, stores: Stores) -> Answer:
    """Remove a site that has no sensors, campaigns and receipts, and nothing within it."""
    stores.sites.remove(tx, _id(call))
    return Answer()


@routes.write("PUT", SITE + "/parent", permission="sites.write", body=wire.ParentIn, answer=wire.SiteOut)
def move_site(call: Call[wire.ParentIn], tx: Transaction, stores: Stores) -> Answer:
    """Move a site into another region, district or store; where it was, and since when, is kept."""
    parent = None if call.body.parent_id is None else SiteId(call.body.parent_id)
    return _answer(stores.sites.move(tx, _id(call), parent, call.expected_version()))


@routes.read(SITE + "/placements", permission="sites.read", answer=wire.PlacementsOut)
def placements(call: Call[None], stores: Stores) -> Answer:
    """List what a site is in, and was in before, newest first."""
    return Answer({"items": stores.sites.placements(call.tenant, _id(call))})


@routes.read(SITE + "/tree", permission="sites.read", query=wire.TreeQuery, answer=wire.TreeOut, fails=(422,))
def tree(call: Call[None], stores: Stores) -> Answer:
    """Read a site and all that is within it, or was at a moment: what is in a place follows it, by name."""
    return Answer({"items": stores.sites.tree(call.tenant, _id(call), call.query.at)})


@routes.read(SITE + "/hours", permission="sites.read", answer=Hours, fails=(409,))
def hours(call: Call[None], stores: Stores) -> Answer:
    """Read when a store is open."""
    found, version = stores.sites.hours(call.tenant, _id(call))
    return Answer(found, headers=etag(version))


@routes.write("PUT", SITE + "/hours", permission="sites.write", body=Hours, answer=Hours)
def keep_hours(call: Call[Hours], tx: Transaction, stores: Stores) -> Answer:
    """Say when a store is open: spans by weekday, over midnight if they like, and other ones on dates of their own."""
    site = stores.sites.keep_hours(tx, _id(call), call.body, call.expected_version())
    return Answer(call.body, headers=etag(site.version))


@routes.read(SITE + "/open", permission="sites.read", query=wire.OpenQuery, answer=wire.OpenOut, fails=(409,))
def open_at(call: Call[None], stores: Stores) -> Answer:
    """Tell whether a store is open now, or at a moment, and when that changes."""
    return Answer(stores.sites.open_at(call.tenant, _id(call), call.query.at or stores.clock()))
