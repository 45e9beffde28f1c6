"""Invoices as clients read, pay, close and preview them."""

import copy

from local.stripe import invoicing, lifecycle, proration
from local.stripe import subscription_items as contents
from local.stripe.errors import StripeError, missing_parameter
from local.stripe.lists import merged_metadata, page
from local.stripe.periods import step
from local.stripe.routes import Call, route
from local.stripe.store import Obj


@route("GET", "/v1/invoices")
def list_invoices(call: Call) -> Obj:
    """List invoices, by customer, subscription or status."""
    found = call.account.store.all("invoice", call.params.text("subscription"))
    return page(call, found, "customer", "status", "collection_method")


@route("POST", "/v1/invoices/create_preview")
def preview(call: Call) -> Obj:
    """The next invoice of a subscription, with item changes if given; nothing is stored."""
    account, params = call.account, call.params
    identifier = params.text("subscription")
    if identifier is None:
        raise missing_parameter("subscription")
    subscription = account.get("subscription", identifier, param="subscription")
    details = params.nested("subscription_details")
    behaviour = details.text("proration_behavior", "create_prorations")
    moment = details.integer("proration_date") or account.now()
    after = copy.deepcopy(subscription)
    changes = details.items("items")
    after["items"]["data"] = contents.applied(account, subscription["items"]["data"], changes, identifier)
    changed = []
    if behaviour != "none" and subscription["status"] not in {"trialing", *lifecycle.ENDED}:
        changed = proration.lines(account, subscription["items"]["data"], after["items"]["data"], moment)
    start, end = lifecycle.period(subscription)
    if behaviour == "always_invoice":
        lines, span = changed, (start, end)
    else:
        recurring = after["items"]["data"][0]["price"]["recurring"]
        waiting = [item["_line"] for item in invoicing.pending(account, subscription)]
        span = (end, step(end, recurring, 1))
        lines = waiting + changed + invoicing.metered_lines(account, subscription, (start, end))
        lines += invoicing.licensed_lines(account, after, span)
    invoice = invoicing.draft(account, after, "upcoming", lines, span)
    return invoice | {"id": f"upcoming_{invoice['id']}", "next_payment_attempt": end}


@route("GET", "/v1/invoices/{id}")
def retrieve(call: Call) -> Obj:
    """Retrieve an invoice."""
    return call.account.get("invoice", call.id)


@route("POST", "/v1/invoices/{id}")
def update(call: Call) -> Obj:
    """Update an invoice's metadata and description."""
    invoice = call.account.get("invoice", call.id)
    invoice["metadata"] = merged_metadata(invoice, call.params)
    if "description" in call.params:
        invoice["description"] = call.params.text("description")
    invoicing.store(call.account, invoice)
    return invoice


@route("GET", "/v1/invoices/{id}/lines")
def list_lines(call: Call) -> Obj:
    """List an invoice's lines."""
    return page(call, call.account.get("invoice", call.id)["lines"]["data"])


@route("POST", "/v1/invoices/{id}/pay")
def pay(call: Call) -> Obj:
    """Pay an open or written-off invoice now; a decline is Stripe's 402, and the failure is told all the same."""
    account, params = call.account, call.params
    invoice = _open(call, "uncollectible")
    subscription = _subscription(call, invoice)
    if params.boolean("paid_out_of_band"):
        invoicing.mark_paid(account, invoice)
        failure = None
    else:
        method = params.text("payment_method") or invoicing.payment_method(account, subscription)
        failure = invoicing.attempt(account, invoice, method)
    lifecycle.follow(account, subscription, invoice)
    if failure:
        failure.keeps_changes = True
        raise failure
    return invoice


@route("POST", "/v1/invoices/{id}/void")
def void(call: Call) -> Obj:
    """Void an open invoice."""
    invoice = _open(call, "uncollectible")
    invoicing.close(call.account, invoice, "void")
    lifecycle.follow(call.account, _subscription(call, invoice), invoice)
    return invoice


@route("POST", "/v1/invoices/{id}/mark_uncollectible")
def give_up(call: Call) -> Obj:
    """Write an open invoice off."""
    invoice = _open(call)
    invoicing.close(call.account, invoice, "uncollectible")
    lifecycle.follow(call.account, _subscription(call, invoice), invoice)
    return invoice


def _subscription(call: Call, invoice: Obj) -> Obj:
    return call.account.get("subscription", invoice["parent"]["subscription_details"]["subscription"])


def _open(call: Call, *others: str) -> Obj:
    invoice = call.account.get("invoice", call.id)
    if invoice["status"] == "paid":
        raise StripeError("Invoice is already paid", code="invoice_already_paid")
    if invoice["status"] not in {"open", *others}:
        raise StripeError(f"This invoice is {invoice['status']}; only an open one can be changed so.")
    return invoice


@route("GET", "/v1/invoiceitems")
def list_items(call: Call) -> Obj:
    """List invoice items: the prorations."""
    found = call.account.store.all("invoiceitem", call.params.text("customer"))
    if call.params.text("pending") == "true":
        found = [item for item in found if item["invoice"] is None]
    return page(call, found, "invoice")
