"""Checkout sessions: made by the platform, completed by the control API or on the page a person is sent to."""

from typing import Any

from local.stripe import customers, subscriptions
from local.stripe.account import Account, new_id
from local.stripe.errors import StripeError, invalid, missing_parameter
from local.stripe.lists import merged_metadata, nested_list, page
from local.stripe.params import Params
from local.stripe.periods import DAY
from local.stripe.routes import Call, route
from local.stripe.store import Obj


@route("POST", "/v1/checkout/sessions")
def create(call: Call) -> Obj:
    """Create an open session; its url is a page of the stand-in."""
    account, params = call.account, call.params
    mode = params.choice("mode", ("payment", "setup", "subscription"), "payment")
    items = [_line_item(account, item, mode) for item in params.items("line_items")]
    if mode != "setup" and not items:
        raise missing_parameter("line_items")
    customer = params.text("customer")
    if customer:
        account.get("customer", customer, param="customer")
    identifier, total = new_id("cs_test_"), sum(item["amount_total"] for item in items)
    session: Obj = {
        "id": identifier,
        "object": "checkout.session",
        "amount_subtotal": total,
        "amount_total": total,
        "cancel_url": params.text("cancel_url"),
        "client_reference_id": params.text("client_reference_id"),
        "created": account.now(),
        "currency": items[0]["currency"] if items else params.text("currency"),
        "customer": customer,
        "customer_details": None,
        "customer_email": params.text("customer_email"),
        "expires_at": params.integer("expires_at", account.now() + DAY),
        "invoice": None,
        "livemode": False,
        "locale": None,
        "metadata": merged_metadata({}, params),
        "mode": mode,
        "payment_intent": None,
        "payment_link": None,
        "payment_method_collection": params.text("payment_method_collection", "always"),
        "payment_method_types": ["card"],
        "payment_status": "unpaid" if total else "no_payment_required",
        "setup_intent": None,
        "status": "open",
        "subscription": None,
        "success_url": params.text("success_url"),
        "ui_mode": params.text("ui_mode", "hosted"),
        "url": f"{account.base_url}/checkout/{identifier}",
        "_items": items,
        "_subscription_data": params.mapping("subscription_data"),
    }
    account.save(session, due=session["expires_at"])
    return session


def _line_item(account: Account, item: Params, mode: str) -> Obj:
    price = account.get("price", item.required("price"), param="line_items[0][price]")
    if mode == "payment" and price["type"] == "recurring":
        raise invalid("line_items[0][price]", "You must use `subscription` mode with recurring prices.")
    metered = (price["recurring"] or {}).get("usage_type") == "metered"
    quantity = None if metered else item.integer("quantity", 1)
    total = (price["unit_amount"] or 0) * (quantity or 0)
    return {
        "id": new_id("li_"),
        "object": "item",
        "amount_discount": 0,
        "amount_subtotal": total,
        "amount_tax": 0,
        "amount_total": total,
        "currency": price["currency"],
        "description": account.get("product", price["product"])["name"],
        "price": price,
        "quantity": quantity,
    }


@route("GET", "/v1/checkout/sessions")
def list_sessions(call: Call) -> Obj:
    """List sessions, by customer, subscription or status."""
    return page(call, call.account.store.all("checkout.session"), "customer", "subscription", "status")


@route("GET", "/v1/checkout/sessions/{id}")
def retrieve(call: Call) -> Obj:
    """Retrieve a session, with `line_items` if expanded."""
    session = call.account.get("checkout.session", call.id)
    if "line_items" in call.params.words("expand"):
        session["line_items"] = nested_list(session["_items"], f"{call.path}/line_items")
    return session


@route("GET", "/v1/checkout/sessions/{id}/line_items")
def list_line_items(call: Call) -> Obj:
    """List what a session sells."""
    return page(call, call.account.get("checkout.session", call.id)["_items"])


@route("POST", "/v1/checkout/sessions/{id}/expire")
def expire_now(call: Call) -> Obj:
    """Close an open session."""
    return expire(call.account, _open(call.account, call.id))


def expire(account: Account, session: Obj) -> Obj:
    """The session's time is over."""
    session |= {"status": "expired", "url": None}
    account.save(session)
    account.emit("checkout.session.expired", session)
    return session


def _open(account: Account, identifier: str) -> Obj:
    session = account.get("checkout.session", identifier)
    if session["status"] != "open":
        raise StripeError(f"Only open sessions can be changed; this one is {session['status']}.")
    return session


def complete(account: Account, identifier: str, *, email: str | None = None, card: str = "pm_card_visa") -> Obj:
    """What happens when the buyer pays: customer, card, subscription, events. A declined card leaves it open."""
    session = _open(account, identifier)
    customer = _buyer(account, session, email)
    method = customers.attach(account, card, customer["id"])
    due = bool(session["amount_total"])
    if session["mode"] == "subscription":
        data = {**session["_subscription_data"], "default_payment_method": method["id"]}
        data["payment_behavior"] = "error_if_incomplete"
        held = [Params(_chosen(item)) for item in session["_items"]]
        subscription = subscriptions.new_subscription(account, Params(data), customer, held)
        due = due and subscription["status"] != "trialing"
        session |= {"subscription": subscription["id"], "invoice": subscription["latest_invoice"]}
    elif session["mode"] == "payment":
        customers.charge(account, method["id"])
        session["payment_intent"] = new_id("pi_")
    else:
        session["setup_intent"] = new_id("seti_")
    details = {"email": customer["email"], "name": customer["name"], "phone": None, "tax_exempt": "none"}
    session |= {
        "status": "complete",
        "payment_status": "paid" if due else "no_payment_required",
        "customer": customer["id"],
        "customer_details": details,
        "url": None,
    }
    account.save(session)
    account.emit("checkout.session.completed", session)
    return session


def _buyer(account: Account, session: Obj, email: str | None) -> Obj:
    if session["customer"]:
        return account.get("customer", session["customer"])
    address = email or session["customer_email"] or "buyer@example.com"
    return customers.new_customer(account, Params({"email": address}))


def _chosen(item: Obj) -> dict[str, Any]:
    chosen = {"price": item["price"]["id"]}
    return chosen if item["quantity"] is None else chosen | {"quantity": str(item["quantity"])}
