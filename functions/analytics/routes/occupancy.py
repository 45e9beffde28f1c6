"""Who is inside, and how many may be."""

from functions.analytics.routes.declared import SITE, Analytics, routes
from functions.analytics.schemas import occupancy as wire
from tenant_context.postgres import Transaction
from tenant_context.routing import Answer, Call, etag

CAPACITY = SITE + "/capacity"


@routes.read(
    SITE + "/occupancy",
    permission="analytics.read",
    query=wire.OccupancyQuery,
    answer=wire.OccupancyOut,
    fails=(409, 422),
)
def occupancy(call: Call[None], analytics: Analytics) -> Answer:
    """Who is inside a place now, or a store or zone over a time, corrected for what counters miss."""
    query: wire.OccupancyQuery = call.query
    site = call.id("site_id")
    whole = query.whole()
    with analytics.database.transaction(call.tenant) as tx:
        if not whole or query.from_ is None or query.to is None:
            return Answer(analytics.occupancy.now(tx, site))
        return Answer(wire.series(query, analytics.occupancy.series(tx, site, query.from_, query.to, query.step)))


@routes.read("/api/v1/occupancy", permission="analytics.read", answer=wire.OccupancyOut, fails=(409,))
def organization_occupancy(call: Call[None], analytics: Analytics) -> Answer:
    """Who is inside all of the organization's stores now, corrected for what counters miss."""
    with analytics.database.transaction(call.tenant) as tx:
        return Answer(analytics.occupancy.everybody(tx))


@routes.read(CAPACITY, permission="sites.read", answer=wire.CapacityOut, fails=(409,))
def capacity(call: Call[None], analytics: Analytics) -> Answer:
    """Read how many may be inside a store or a zone, and whether they are."""
    site = call.id("site_id")
    with analytics.database.transaction(call.tenant) as tx:
        limit = analytics.limits.show(tx, site)
    return Answer(wire.capacity(site, limit), headers=etag(limit.version if limit else 0))


@routes.write("PUT", CAPACITY, permission="sites.write", body=wire.CapacityIn, answer=wire.CapacityOut)
def keep_capacity(call: Call[wire.CapacityIn], tx: Transaction, analytics: Analytics) -> Answer:
    """Say how many may be inside; reaching it, and getting below, is told by events and alerts."""
    body, site = call.body, call.id("site_id")
    limit = analytics.limits.keep(tx, site, body.capacity, body.cleared, call.expected_version())
    return Answer(wire.capacity(site, limit), headers=etag(limit.version))


@routes.write("DELETE", CAPACITY, permission="sites.write", status=204)
def forget_capacity(call: Call[None], tx: Transaction, analytics: Analytics) -> Answer:
    """Have no limit any more."""
    analytics.limits.forget(tx, call.id("site_id"))
    return Answer()
