"""Webhook endpoints and the events they are told of."""

from urllib.parse import urlsplit

from local.stripe.account import new_id
from local.stripe.errors import invalid
from local.stripe.lists import merged_metadata, page
from local.stripe.routes import Call, route
from local.stripe.store import Obj


@route("POST", "/v1/webhook_endpoints")
def create(call: Call) -> Obj:
    """Register an endpoint; only this answer carries its signing secret."""
    account, params = call.account, call.params
    events = params.words("enabled_events")
    if not events:
        raise invalid("enabled_events", "Missing required param: enabled_events.")
    endpoint: Obj = {
        "id": new_id("we_"),
        "object": "webhook_endpoint",
        "api_version": params.text("api_version"),
        "application": None,
        "created": account.now(),
        "description": params.text("description"),
        "enabled_events": events,
        "livemode": False,
        "metadata": merged_metadata({}, params),
        "status": "enabled",
        "url": _url(params.required("url")),
        "_secret": new_id("whsec_"),
    }
    account.save(endpoint)
    return endpoint | {"secret": endpoint["_secret"]}


def _url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise invalid("url", "Invalid URL: An explicit scheme (such as https) must be provided.")
    return url


@route("GET", "/v1/webhook_endpoints")
def list_endpoints(call: Call) -> Obj:
    """List endpoints, without their secrets."""
    return page(call, call.account.store.all("webhook_endpoint"))


@route("GET", "/v1/webhook_endpoints/{id}")
def retrieve(call: Call) -> Obj:
    """Retrieve an endpoint, without its secret."""
    return call.account.get("webhook_endpoint", call.id)


@route("POST", "/v1/webhook_endpoints/{id}")
def update(call: Call) -> Obj:
    """Update an endpoint."""
    params = call.params
    endpoint = call.account.get("webhook_endpoint", call.id)
    endpoint["metadata"] = merged_metadata(endpoint, params)
    if "url" in params:
        endpoint["url"] = _url(params.required("url"))
    if "enabled_events" in params:
        endpoint["enabled_events"] = params.words("enabled_events")
    if "disabled" in params:
        endpoint["status"] = "disabled" if params.boolean("disabled") else "enabled"
    if "description" in params:
        endpoint["description"] = params.text("description")
    return call.account.save(endpoint)


@route("DELETE", "/v1/webhook_endpoints/{id}")
def delete(call: Call) -> Obj:
    """Forget an endpoint and what it still waits for."""
    call.account.get("webhook_endpoint", call.id)
    call.account.store.delete(call.id)
    call.account.store.rows("DELETE FROM deliveries WHERE endpoint = ? AND state = 'pending'", call.id)
    return {"id": call.id, "object": "webhook_endpoint", "deleted": True}


@route("GET", "/v1/events")
def list_events(call: Call) -> Obj:
    """List events, newest first, by type or types (a trailing `*` matches the rest)."""
    found, wanted = call.account.store.all("event"), call.params.words("types")
    kind = call.params.text("type")
    if kind:
        wanted = [kind]
        call.params.values.pop("type")
    if wanted:
        found = [event for event in found if any(_matches(event["type"], pattern) for pattern in wanted)]
    return page(call, found)


def _matches(kind: str, pattern: str) -> bool:
    return kind.startswith(pattern[:-1]) if pattern.endswith("*") else kind == pattern


@route("GET", "/v1/events/{id}")
def retrieve_event(call: Call) -> Obj:
    """Retrieve an event."""
    return call.account.get("event", call.id)
