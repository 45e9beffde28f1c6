"""How good what sensors say is."""

from functions.analytics.routes.declared import SENSOR, Analytics, routes
from functions.analytics.schemas import quality as wire
from tenant_context.routing import Answer, Call
from tenant_context.wire import page_of


@routes.read(SENSOR + "/quality", permission="sensors.read", query=wire.DaysQuery, answer=wire.DaysOut, fails=(422,))
def quality(call: Call[None], analytics: Analytics) -> Answer:
    """Read what a sensor's days are worth, from 0 to 100, and what is wrong with them."""
    query: wire.DaysQuery = call.query
    return Answer(analytics.quality.days(call.tenant, call.id("sensor_id"), query.from_, query.to))


@routes.read("/api/v1/quality/incidents", permission="sensors.read", query=wire.IncidentQuery, answer=wire.IncidentPage)
def incidents(call: Call[None], analytics: Analytics) -> Answer:
    """List what is or was wrong with sensors' data on days running, and what to do about it."""
    query: wire.IncidentQuery = call.query
    found = analytics.quality.incidents(call.tenant, query.wanted(), after=query.after(), limit=query.limit + 1)
    return Answer(page_of(found, query.limit))
