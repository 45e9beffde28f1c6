"""Billing meters, the usage they are told of, and what it adds up to."""

from decimal import Decimal

from local.stripe.account import Account, new_id
from local.stripe.errors import StripeError, invalid, missing_parameter
from local.stripe.lists import page
from local.stripe.routes import Call, route
from local.stripe.store import Obj

# A usage event may be late by this much, or early by the clocks' disagreement.
MAX_AGE = 35 * 86_400
MAX_LEAD = 300
_WINDOWS = {"hour": 3_600, "day": 86_400}


@route("POST", "/v1/billing/meters")
def create_meter(call: Call) -> Obj:
    """Create a meter; one active meter per event name."""
    account, params = call.account, call.params
    name = params.required("event_name")
    if _active_meter(account, name):
        raise invalid("event_name", f"An active meter for the event name {name} already exists.")
    mapping, settings = params.nested("customer_mapping"), params.nested("value_settings")
    formula = params.nested("default_aggregation").choice("formula", ("sum", "count", "last"), "sum")
    meter: Obj = {
        "id": new_id("mtr_test_"),
        "object": "billing.meter",
        "created": account.now(),
        "customer_mapping": {
            "event_payload_key": mapping.text("event_payload_key", "stripe_customer_id"),
            "type": "by_id",
        },
        "default_aggregation": {"formula": formula},
        "display_name": params.required("display_name"),
        "event_name": name,
        "event_time_window": params.text("event_time_window"),
        "livemode": False,
        "status": "active",
        "status_transitions": {"deactivated_at": None},
        "updated": account.now(),
        "value_settings": {"event_payload_key": settings.text("event_payload_key", "value")},
    }
    account.save(meter)
    account.emit("billing.meter.created", meter)
    return meter


def _active_meter(account: Account, event_name: str) -> Obj | None:
    for meter in account.store.all("billing.meter"):
        if meter["event_name"] == event_name and meter["status"] == "active":
            return meter
    return None


@route("GET", "/v1/billing/meters")
def list_meters(call: Call) -> Obj:
    """List meters."""
    return page(call, call.account.store.all("billing.meter"), "status")


@route("GET", "/v1/billing/meters/{id}")
def retrieve_meter(call: Call) -> Obj:
    """Retrieve a meter."""
    return call.account.get("billing.meter", call.id)


@route("POST", "/v1/billing/meters/{id}")
def update_meter(call: Call) -> Obj:
    """Rename a meter."""
    meter = call.account.get("billing.meter", call.id)
    meter |= {"display_name": call.params.text("display_name", meter["display_name"])}
    return call.account.save(meter | {"updated": call.account.now()})


@route("POST", "/v1/billing/meters/{id}/deactivate")
def deactivate(call: Call) -> Obj:
    """Stop a meter from taking events."""
    moment = call.account.now()
    meter = call.account.get("billing.meter", call.id)
    meter |= {"status": "inactive", "status_transitions": {"deactivated_at": moment}, "updated": moment}
    call.account.save(meter)
    call.account.emit("billing.meter.deactivated", meter)
    return meter


@route("POST", "/v1/billing/meters/{id}/reactivate")
def reactivate(call: Call) -> Obj:
    """Let a meter take events again."""
    meter = call.account.get("billing.meter", call.id)
    meter |= {
        "status": "active",
        "status_transitions": {"deactivated_at": None},
        "updated": call.account.now(),
    }
    call.account.save(meter)
    call.account.emit("billing.meter.reactivated", meter)
    return meter


@route("POST", "/v1/billing/meter_events")
def create_event(call: Call) -> Obj:
    """Take a usage event: known meter and customer, a number, a timestamp in bounds, an identifier not seen."""
    account, params = call.account, call.params
    name = params.required("event_name")
    meter = _active_meter(account, name)
    if meter is None:
        raise StripeError(f"No active meter found for event name {name}.", code="no_meter", param="event_name")
    moment = account.now()
    timestamp = params.integer("timestamp", moment) or moment
    if timestamp < moment - MAX_AGE:
        raise StripeError(
            "The timestamp must be within the past 35 calendar days.",
            code="timestamp_too_far_in_past",
            param="timestamp",
        )
    if timestamp > moment + MAX_LEAD:
        raise StripeError(
            "The timestamp must not be more than 5 minutes in the future.",
            code="timestamp_in_future",
            param="timestamp",
        )
    payload = params.nested("payload")
    customer_key = meter["customer_mapping"]["event_payload_key"]
    customer = account.get("customer", payload.required(customer_key), param=f"payload[{customer_key}]")
    identifier = params.text("identifier") or new_id("")
    if account.store.find(_event_id(identifier)):
        raise StripeError(
            f"An event already exists with identifier {identifier}.",
            code="duplicate_meter_event",
            param="identifier",
        )
    event: Obj = {
        "object": "billing.meter_event",
        "created": moment,
        "event_name": name,
        "identifier": identifier,
        "livemode": False,
        "payload": params.mapping("payload"),
        "timestamp": timestamp,
    }
    kept = {**event, "id": _event_id(identifier), "customer": customer["id"], "value": _value(meter, call)}
    account.save(kept)
    return event


def _event_id(identifier: str) -> str:
    return f"meter_event:{identifier}"


def _value(meter: Obj, call: Call) -> str:
    if meter["default_aggregation"]["formula"] == "count":
        return "1"
    key = meter["value_settings"]["event_payload_key"]
    value = call.params.nested("payload").decimal(key)
    if value is None:
        raise missing_parameter(f"payload[{key}]")
    if value < 0 or not value.is_finite():
        raise StripeError(
            "The value must be a number that is not negative.",
            code="meter_event_invalid_value",
            param=f"payload[{key}]",
        )
    return str(value)


@route("POST", "/v1/billing/meter_event_adjustments")
def adjust(call: Call) -> Obj:
    """Cancel a usage event by its identifier."""
    identifier = call.params.nested("cancel").required("identifier")
    event = call.account.store.find(_event_id(identifier), "billing.meter_event")
    if event is None or event["event_name"] != call.params.required("event_name"):
        raise invalid("cancel[identifier]", f"No event found with identifier {identifier}.")
    call.account.save({**event, "value": "0", "cancelled": True})
    return {
        "object": "billing.meter_event_adjustment",
        "cancel": {"identifier": identifier},
        "event_name": event["event_name"],
        "livemode": False,
        "status": "pending",
        "type": "cancel",
    }


def usage(account: Account, meter: Obj, customer: str, start: int, end: int) -> Decimal:
    """What a customer used of a meter from `start` (inclusive) to `end` (exclusive)."""
    events = [
        event
        for event in account.store.all("billing.meter_event", customer)
        if event["event_name"] == meter["event_name"] and start <= event["timestamp"] < end
    ]
    if meter["default_aggregation"]["formula"] == "last":
        latest = max(events, key=lambda event: int(event["timestamp"]), default=None)
        return Decimal(latest["value"]) if latest else Decimal(0)
    return sum((Decimal(event["value"]) for event in events), Decimal(0))


@route("GET", "/v1/billing/meters/{id}/event_summaries")
def summaries(call: Call) -> Obj:
    """Usage of a customer over a time, whole or by hour or day, newest first."""
    account, params = call.account, call.params
    meter = account.get("billing.meter", call.id)
    customer = account.get("customer", params.required("customer"), param="customer")["id"]
    params.required("start_time")
    params.required("end_time")
    start, end = params.integer("start_time") or 0, params.integer("end_time") or 0
    step = _WINDOWS.get(params.text("value_grouping_window") or "", end - start)
    if end <= start or start % 60 or end % 60:
        raise invalid("end_time", "Times must be aligned with minute boundaries and end after they start.")
    found = [
        {
            "id": f"mtrusg_{begin}",
            "object": "billing.meter_event_summary",
            "aggregated_value": float(usage(account, meter, customer, begin, min(begin + step, end))),
            "created": begin,
            "end_time": min(begin + step, end),
            "livemode": False,
            "meter": meter["id"],
            "start_time": begin,
        }
        for begin in reversed(range(start, end, step))
    ]
    return page(call, found)
