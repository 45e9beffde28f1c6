"""What happened in the stores."""

from functions.sites.routes.declared import SITE, Stores, routes
from functions.sites.schemas import metrics as wire
from shared.metrics.service.metrics import Kept
from tenant_context.routing import Answer, Call


def _answer(kept: Kept) -> Answer:
    return Answer(kept.content, headers={"x-cache": kept.level})


@routes.read(SITE + "/metrics", permission="analytics.read", query=wire.MetricsQuery, answer=wire.MetricsOut)
def metrics(call: Call[None], stores: Stores) -> Answer:
    """Metrics of a store, zone, district or region over a range, in its own days; missing is null, not zero."""
    query: wire.MetricsQuery = call.query
    return _answer(stores.metrics.series(call.tenant, query.ask(call.id("site_id"))))


@routes.read(
    "/api/v1/metrics", permission="analytics.read", query=wire.MetricsQuery, answer=wire.MetricsOut, fails=(422,)
)
def organization_metrics(call: Call[None], stores: Stores) -> Answer:
    """Metrics of the whole organization over a range, likewise."""
    query: wire.MetricsQuery = call.query
    return _answer(stores.metrics.series(call.tenant, query.ask()))


@routes.read("/api/v1/metrics/ranking", permission="analytics.read", query=wire.RankingQuery, answer=wire.RankingOut)
def ranking(call: Call[None], stores: Stores) -> Answer:
    """Rank stores by a metric over whole days, each with how it changed against as many days before."""
    query: wire.RankingQuery = call.query
    return _answer(stores.metrics.ranking(call.tenant, query.ask(), query.after(), query.limit))


@routes.read(SITE + "/occupancy", permission="analytics.read", answer=wire.OccupancyOut)
def occupancy(call: Call[None], stores: Stores) -> Answer:
    """Who is inside now."""
    return Answer(stores.metrics.occupancy(call.tenant, call.id("site_id")))
