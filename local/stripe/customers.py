"""Customers and their payment methods."""

import re

from local.stripe.account import Account, new_id
from local.stripe.errors import card_declined, invalid, no_such
from local.stripe.lists import changed, merged_metadata, page
from local.stripe.params import Params
from local.stripe.routes import Call, route
from local.stripe.store import Obj

_CLAUSE = re.compile(
    r"""(?:metadata\[(?P<a>['"])(?P<key>[^'"]+)(?P=a)\]|(?P<field>email|name)):(?P<b>['"])(?P<value>[^'"]*)(?P=b)"""
)
_TEXTS = ("email", "name", "phone", "description")
# Stripe's own test tokens: the first always pays, the others attach but are declined when charged.
_TOKENS = {
    "pm_card_visa": None,
    "pm_card_mastercard": None,
    "pm_card_chargeCustomerFail": "generic_decline",
    "pm_card_chargeDeclinedInsufficientFunds": "insufficient_funds",
}


def new_customer(account: Account, params: Params) -> Obj:
    """Make a customer and tell it."""
    customer: Obj = {
        "id": new_id("cus_"),
        "object": "customer",
        "address": params.mapping("address") or None,
        "balance": params.integer("balance", 0),
        "created": account.now(),
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "discount": None,
        "invoice_prefix": new_id("")[:8].upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": params.nested("invoice_settings").text("default_payment_method"),
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": merged_metadata({}, params),
        "next_invoice_sequence": 1,
        "preferred_locales": params.words("preferred_locales"),
        "shipping": None,
        "tax_exempt": params.text("tax_exempt", "none"),
        "test_clock": None,
        **{name: params.text(name) for name in _TEXTS},
    }
    account.save(customer)
    token = params.text("payment_method")
    if token:
        method = attach(account, token, customer["id"])
        customer["invoice_settings"]["default_payment_method"] = method["id"]
        account.save(customer)
    account.emit("customer.created", customer)
    return customer


def attach(account: Account, identifier: str, customer: str) -> Obj:
    """Give a customer a payment method; a test token makes a new one."""
    method = account.store.find(identifier, "payment_method")
    if method is None:
        if identifier not in _TOKENS:
            raise no_such("PaymentMethod", identifier, param="payment_method", status=400)
        method = _new_method(account, _TOKENS[identifier])
    method["customer"] = customer
    account.save(method)
    account.emit("payment_method.attached", method)
    return method


def _new_method(account: Account, decline: str | None) -> Obj:
    return {
        "id": new_id("pm_"),
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": {"address": None, "email": None, "name": None, "phone": None},
        "card": {"brand": "visa", "exp_month": 12, "exp_year": 2040, "funding": "credit", "last4": "4242"},
        "created": account.now(),
        "customer": None,
        "livemode": False,
        "metadata": {},
        "type": "card",
        "_decline": decline,
    }


def charge(account: Account, method_id: str) -> None:
    """Take a payment with a payment method, or raise the card error the issuer would give."""
    method = account.get("payment_method", method_id, param="payment_method")
    if method["_decline"]:
        raise card_declined(method["_decline"])
    code = account.drills.take_decline()
    if code:
        raise card_declined(code)


@route("POST", "/v1/customers")
def create(call: Call) -> Obj:
    """Create a customer."""
    return new_customer(call.account, call.params)


@route("GET", "/v1/customers")
def list_customers(call: Call) -> Obj:
    """List customers, by email if asked."""
    return page(call, call.account.store.all("customer"), "email")


@route("GET", "/v1/customers/search")
def search(call: Call) -> Obj:
    """Find customers by metadata, email or name; who was made within the index's lag is not found yet."""
    account = call.account
    wanted = [_clause(part.strip()) for part in call.params.required("query").split(" AND ")]
    indexed = account.moment() - float(account.store.setting("search", {}).get("lag", 0))
    found = [obj for obj in account.store.all("customer") if obj["created"] <= indexed and _matches(obj, wanted)]
    return {**page(call, found), "object": "search_result", "next_page": None}


def _clause(text: str) -> tuple[str | None, str | None, str]:
    found = _CLAUSE.fullmatch(text)
    if found is None:
        raise invalid("query", f"We were unable to parse your search query: {text}")
    return found["key"], found["field"], found["value"]


def _matches(obj: Obj, wanted: list[tuple[str | None, str | None, str]]) -> bool:
    return all((obj["metadata"].get(key) if key else obj[field or "email"]) == value for key, field, value in wanted)


@route("GET", "/v1/customers/{id}")
def retrieve(call: Call) -> Obj:
    """Retrieve a customer; a deleted one says so."""
    gone = call.account.store.find(call.id, "deleted_customer")
    return {**gone, "object": "customer"} if gone else call.account.get("customer", call.id)


@route("POST", "/v1/customers/{id}")
def update(call: Call) -> Obj:
    """Update a customer."""
    account, params = call.account, call.params
    before = account.get("customer", call.id)
    after = {**before, "metadata": merged_metadata(before, params)}
    after |= {name: params.text(name) for name in (*_TEXTS, "tax_exempt") if name in params}
    if "address" in params:
        after["address"] = params.mapping("address") or None
    settings = params.nested("invoice_settings")
    if "default_payment_method" in settings:
        method = settings.text("default_payment_method")
        if method and account.get("payment_method", method, param="invoice_settings")["customer"] != call.id:
            raise no_such("PaymentMethod", method, param="invoice_settings", status=400)
        after["invoice_settings"] = {**before["invoice_settings"], "default_payment_method": method}
    account.save(after)
    account.emit("customer.updated", after, changed(before, after))
    return after


@route("DELETE", "/v1/customers/{id}")
def delete(call: Call) -> Obj:
    """Delete a customer for good; its subscriptions end at once."""
    from local.stripe.lifecycle import end  # noqa: PLC0415  subscriptions know customers, so this looks back late

    account = call.account
    customer = account.get("customer", call.id)
    for subscription in account.store.all("subscription", customer["id"]):
        if subscription["status"] not in {"canceled", "incomplete_expired"}:
            end(account, subscription, reason="cancellation_requested")
    account.store.delete(customer["id"])
    account.save({"id": customer["id"], "object": "deleted_customer", "deleted": True})
    account.emit("customer.deleted", customer)
    return {"id": customer["id"], "object": "customer", "deleted": True}


@route("POST", "/v1/payment_methods")
def create_method(call: Call) -> Obj:
    """Make a card; its number is not asked for, it always pays."""
    return call.account.save(_new_method(call.account, None))


@route("GET", "/v1/payment_methods/{id}")
def retrieve_method(call: Call) -> Obj:
    """Retrieve a payment method."""
    return call.account.get("payment_method", call.id)


@route("POST", "/v1/payment_methods/{id}/attach")
def attach_method(call: Call) -> Obj:
    """Attach a payment method to a customer."""
    customer = call.account.get("customer", call.params.required("customer"), param="customer")
    return attach(call.account, call.id, customer["id"])


@route("POST", "/v1/payment_methods/{id}/detach")
def detach_method(call: Call) -> Obj:
    """Detach a payment method."""
    method = call.account.get("payment_method", call.id) | {"customer": None}
    call.account.save(method)
    call.account.emit("payment_method.detached", method)
    return method


@route("GET", "/v1/customers/{id}/payment_methods")
def list_methods(call: Call) -> Obj:
    """List a customer's payment methods."""
    call.account.get("customer", call.id)
    return page(call, call.account.store.all("payment_method", call.id), "type")


@route("GET", "/v1/payment_methods")
def list_all_methods(call: Call) -> Obj:
    """List payment methods, by customer."""
    return page(call, call.account.store.all("payment_method", call.params.text("customer")), "type")
