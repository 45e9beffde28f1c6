"""Subscriptions: create, update, cancel, resume."""

import copy

from local.stripe import invoicing, lifecycle, proration
from local.stripe import subscription_items as contents
from local.stripe.account import Account, new_id
from local.stripe.errors import StripeError, invalid
from local.stripe.lists import merged_metadata, nested_list, page
from local.stripe.params import Params
from local.stripe.periods import DAY
from local.stripe.routes import Call, route
from local.stripe.store import Obj

_BEHAVIOURS = ("create_prorations", "always_invoice", "none")
_PAYMENTS = ("allow_incomplete", "default_incomplete", "error_if_incomplete", "pending_if_incomplete")


def new_subscription(account: Account, params: Params, customer: Obj, items: list[Params]) -> Obj:
    """Start a subscription: a trial, or a first period billed now."""
    moment, identifier = account.now(), new_id("sub_")
    held = [contents.new_item(account, item, identifier) for item in items]
    contents.check(held)
    trial_end = _trial_end(params, moment)
    method = params.text("default_payment_method")
    if method:
        account.get("payment_method", method, param="default_payment_method")
    missing = params.nested("trial_settings").nested("end_behavior")
    subscription: Obj = {
        "id": identifier,
        "object": "subscription",
        "application": None,
        "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
        "billing_cycle_anchor": trial_end or moment,
        "billing_mode": {"type": "classic"},
        "cancel_at": params.integer("cancel_at"),
        "cancel_at_period_end": False,
        "canceled_at": None,
        "cancellation_details": {"comment": None, "feedback": None, "reason": None},
        "collection_method": params.choice(
            "collection_method", ("charge_automatically", "send_invoice"), "charge_automatically"
        ),
        "created": moment,
        "currency": held[0]["price"]["currency"],
        "customer": customer["id"],
        "days_until_due": params.integer("days_until_due"),
        "default_payment_method": method,
        "default_source": None,
        "description": params.text("description"),
        "discounts": [],
        "ended_at": None,
        "items": nested_list(held, f"/v1/subscription_items?subscription={identifier}"),
        "latest_invoice": None,
        "livemode": False,
        "metadata": merged_metadata({}, params),
        "pause_collection": None,
        "pending_setup_intent": None,
        "pending_update": None,
        "schedule": None,
        "start_date": moment,
        "status": "trialing" if trial_end else "incomplete",
        "test_clock": None,
        "trial_end": trial_end,
        "trial_settings": {
            "end_behavior": {
                "missing_payment_method": missing.choice(
                    "missing_payment_method", ("create_invoice", "cancel", "pause"), "create_invoice"
                )
            }
        },
        "trial_start": moment if trial_end else None,
        "_warned": False,
    }
    return _begin(account, subscription, params)


def _trial_end(params: Params, moment: int) -> int | None:
    if params.text("trial_end") == "now":
        return None
    end, days = params.integer("trial_end"), params.integer("trial_period_days")
    if end is not None and end <= moment:
        raise invalid("trial_end", "The trial end must be in the future.")
    return end or (moment + days * DAY if days else None)


def _begin(account: Account, subscription: Obj, params: Params) -> Obj:
    behaviour = params.choice("payment_behavior", _PAYMENTS, "allow_incomplete")
    if subscription["status"] == "trialing":
        span = (subscription["created"], subscription["trial_end"])
        lifecycle.set_period(subscription, *span)
        _schedule_cancellation(account, subscription, params)
        account.emit("customer.subscription.created", subscription)
        lines = invoicing.licensed_lines(account, subscription, span, trial=True)
        lifecycle.invoice_now(account, subscription, "subscription_create", lines, span)
        lifecycle.store(account, subscription)
        return subscription
    method = invoicing.payment_method(account, subscription)
    start = subscription["created"]
    lifecycle.set_period(subscription, start, start)
    free = not sum(part["amount"] for part in invoicing.licensed_lines(account, subscription, (start, start)))
    sent = subscription["collection_method"] == "send_invoice"
    if method is None and not free and not sent and behaviour != "default_incomplete":
        raise invoicing.no_payment_method()
    if sent:
        subscription["status"] = "active"
    account.emit("customer.subscription.created", subscription)
    failure = lifecycle.bill(account, subscription, "subscription_create", start)
    if failure and behaviour == "error_if_incomplete":
        raise failure
    _schedule_cancellation(account, subscription, params)
    lifecycle.store(account, subscription)
    return subscription


def _schedule_cancellation(account: Account, subscription: Obj, params: Params) -> None:
    if "cancel_at_period_end" in params:
        wished = params.boolean("cancel_at_period_end")
        subscription["cancel_at_period_end"] = wished
        subscription["cancel_at"] = lifecycle.period(subscription)[1] if wished else None
        subscription["canceled_at"] = account.now() if wished else None
    if "cancel_at" in params:
        subscription["cancel_at"] = params.integer("cancel_at")
        subscription["canceled_at"] = account.now() if subscription["cancel_at"] else None


@route("POST", "/v1/subscriptions")
def create(call: Call) -> Obj:
    """Create a subscription."""
    customer = call.account.get("customer", call.params.required("customer"), param="customer")
    return new_subscription(call.account, call.params, customer, call.params.items("items"))


@route("GET", "/v1/subscriptions")
def list_subscriptions(call: Call) -> Obj:
    """List subscriptions; ended ones only when their status (or `all`) is asked for."""
    params, status = call.params, call.params.text("status")
    found = call.account.store.all("subscription", params.text("customer"))
    if status == "all":
        params.values.pop("status")
    elif status == "ended":
        params.values.pop("status")
        found = [obj for obj in found if obj["status"] in lifecycle.ENDED]
    elif status is None:
        found = [obj for obj in found if obj["status"] not in lifecycle.ENDED]
    price = params.text("price")
    if price:
        found = [obj for obj in found if any(item["price"]["id"] == price for item in obj["items"]["data"])]
    return page(call, found, "status", "collection_method")


@route("GET", "/v1/subscriptions/{id}")
def retrieve(call: Call) -> Obj:
    """Retrieve a subscription."""
    return call.account.get("subscription", call.id)


@route("POST", "/v1/subscriptions/{id}")
def update(call: Call) -> Obj:
    """Update a subscription: items, trial, cancellation, payment method, pause, metadata."""
    account, params = call.account, call.params
    before = account.get("subscription", call.id)
    if before["status"] in lifecycle.ENDED:
        raise StripeError("A canceled subscription can only update its cancellation_details and metadata.")
    after = copy.deepcopy(before) | {"metadata": merged_metadata(before, params)}
    for name in ("default_payment_method", "description"):
        if name in params:
            after[name] = params.text(name)
    if "pause_collection" in params:
        paused = params.nested("pause_collection") if params.values["pause_collection"] else None
        after["pause_collection"] = paused and {
            "behavior": paused.required("behavior"),
            "resumes_at": paused.integer("resumes_at"),
        }
    if "trial_end" in params:
        _move_trial(account, after, params)
    _schedule_cancellation(account, after, params)
    change_items(account, before, after, params.items("items"), params)
    return account.get("subscription", call.id)


def _move_trial(account: Account, subscription: Obj, params: Params) -> None:
    end = _trial_end(params, account.now())
    subscription["trial_end"] = end or account.now()
    if end:
        subscription |= {"status": "trialing", "billing_cycle_anchor": end, "_warned": False}
        lifecycle.set_period(subscription, lifecycle.period(subscription)[0], end)


def change_items(account: Account, before: Obj, after: Obj, changes: list[Params], params: Params) -> None:
    """Apply item changes and bill them as `proration_behavior` says; a new interval or anchor bills at once."""
    behaviour = params.choice("proration_behavior", _BEHAVIOURS, "create_prorations")
    moment = params.integer("proration_date") or account.now()
    old = before["items"]["data"]
    after["items"]["data"] = contents.applied(account, after["items"]["data"], changes, after["id"])
    new = after["items"]["data"]
    if after["status"] == "trialing":
        if after["trial_end"] <= account.now():
            lifecycle.store(account, after)
            lifecycle.end_trial(account, after)
        else:
            lifecycle.tell(account, after, before)
        return
    restarts = params.text("billing_cycle_anchor") == "now"
    restarts = restarts or contents.interval(old[0]["price"]) != contents.interval(new[0]["price"])
    found = [] if behaviour == "none" else proration.lines(account, old, [] if restarts else new, moment)
    if restarts:
        proration.keep(account, after, found)
        after["billing_cycle_anchor"] = account.now()
        lifecycle.bill(account, after, "subscription_update", account.now(), before=before)
    elif behaviour == "always_invoice" and found:
        failure = lifecycle.invoice_now(
            account, after, "subscription_update", found, (moment, lifecycle.period(after)[1]), before=before
        )
        if failure and params.text("payment_behavior") == "error_if_incomplete":
            raise failure
    else:
        proration.keep(account, after, found)
        lifecycle.tell(account, after, before)


@route("DELETE", "/v1/subscriptions/{id}")
def cancel(call: Call) -> Obj:
    """Cancel at once; `invoice_now` bills usage and prorations, `prorate` credits the unused time."""
    account, params = call.account, call.params
    subscription = account.get("subscription", call.id)
    if subscription["status"] in lifecycle.ENDED:
        raise StripeError(f"No such subscription: '{call.id}'", status=404, code="resource_missing", param="id")
    moment, (start, finish) = account.now(), lifecycle.period(subscription)
    if params.boolean("prorate"):
        credit = proration.lines(account, subscription["items"]["data"], [], moment)
        proration.keep(account, subscription, credit)
    if params.boolean("invoice_now"):
        used = invoicing.metered_lines(account, subscription, (start, moment))
        lifecycle.invoice_now(account, subscription, "manual", used, (start, min(moment, finish)))
    details = params.nested("cancellation_details")
    subscription["cancellation_details"] |= {
        "comment": details.text("comment"),
        "feedback": details.text("feedback"),
    }
    lifecycle.end(account, subscription, reason="cancellation_requested")
    return subscription


@route("POST", "/v1/subscriptions/{id}/resume")
def resume(call: Call) -> Obj:
    """Resume a paused subscription with a new period, billed now."""
    account = call.account
    subscription = account.get("subscription", call.id)
    if subscription["status"] != "paused":
        raise StripeError("Only a paused subscription can be resumed.")
    before = copy.deepcopy(subscription)
    subscription |= {"status": "active", "billing_cycle_anchor": account.now()}
    lifecycle.bill(account, subscription, "subscription_update", account.now(), before=before)
    account.emit("customer.subscription.resumed", subscription)
    return account.get("subscription", call.id)
