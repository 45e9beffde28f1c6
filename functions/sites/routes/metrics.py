"""What happened in the stores."""

from functions.sites.routes.declared import SITE, Stores, routes
from functions.sites.schemas import metrics as wire
from tenant_context.routing import Answer, Call


@routes.read(SITE + "/metrics", permission="analytics.read", query=wire.MetricsQuery, answer=wire.MetricsOut)
def metrics(call: Call[None], stores: Stores) -> Answer:
    """A metric over a range, in the site's own days; missing is null, not zero."""
    query: wire.MetricsQuery = call.query
    return Answer(stores.metrics.series(call.tenant, call.id("site_id"), query.metric, query.span()))
