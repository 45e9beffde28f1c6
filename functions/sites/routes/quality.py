"""How good what sensors say is."""

from functions.sites.routes.declared import SENSOR, Stores, routes
from functions.sites.schemas import quality as wire
from tenant_context.routing import Answer, Call
from tenant_context.wire import page_of


@routes.read(SENSOR + "/quality", permission="sensors.read", query=wire.DaysQuery, answer=wire.DaysOut, fails=(422,))
def quality(call: Call[None], stores: Stores) -> Answer:
    """Read what a sensor's days are worth, from 0 to 100, and what is wrong with them."""
    query: wire.DaysQuery = call.query
    return Answer(stores.quality.days(call.tenant, call.id("sensor_id"), query.from_, query.to))


@routes.read("/api/v1/quality/incidents", permission="sensors.read", query=wire.IncidentQuery, answer=wire.IncidentPage)
def incidents(call: Call[None], stores: Stores) -> Answer:
    """List what is or was wrong with sensors' data on days running, and what to do about it."""
    query: wire.IncidentQuery = call.query
    found = stores.quality.incidents(call.tenant, query.wanted(), after=query.after(), limit=query.limit + 1)
    return Answer(page_of(found, query.limit))
