"""Invoices as the clock and subscriptions make them: lines, finalisation, payment, and its next attempt."""

from local.stripe.account import Account, new_id
from local.stripe.catalog import cost
from local.stripe.customers import charge
from local.stripe.errors import StripeError
from local.stripe.lists import nested_list
from local.stripe.metering import usage
from local.stripe.periods import DAY
from local.stripe.store import Obj

# After a failed payment: again after 3, then 5, then 7 days; then the subscription ends.
RETRY_DAYS = (3, 5, 7)


def line(item: Obj, amount: int, period: tuple[int, int], description: str, *, proration: bool = False) -> Obj:
    """A line for a subscription item; `period` is (start, end)."""
    price = item["price"]
    return {
        "id": new_id("il_"),
        "object": "line_item",
        "amount": amount,
        "currency": price["currency"],
        "description": description,
        "discount_amounts": [],
        "discountable": not proration,
        "discounts": [],
        "invoice": None,
        "livemode": False,
        "metadata": {},
        "parent": {
            "invoice_item_details": None,
            "subscription_item_details": {
                "invoice_item": None,
                "proration": proration,
                "proration_details": {"credited_items": None},
                "subscription": item["subscription"],
                "subscription_item": item["id"],
            },
            "type": "subscription_item_details",
        },
        "period": {"start": period[0], "end": period[1]},
        "pretax_credit_amounts": [],
        "pricing": {
            "price_details": {"price": price["id"], "product": price["product"]},
            "type": "price_details",
            "unit_amount_decimal": price["unit_amount_decimal"],
        },
        "quantity": item.get("quantity"),
        "subtotal": amount,
        "taxes": [],
    }


def licensed_lines(account: Account, subscription: Obj, period: tuple[int, int], *, trial: bool = False) -> list[Obj]:
    """What is billed in advance for a period; free during a trial."""
    lines = []
    for item in subscription["items"]["data"]:
        if item["price"]["recurring"]["usage_type"] == "licensed":
            name = _product_name(account, item["price"])
            amount = 0 if trial else cost(item["price"], item["quantity"])
            text = f"Trial period for {name}" if trial else f"{item['quantity']} x {name}"
            lines.append(line(item, amount, period, text))
    return lines


def metered_lines(account: Account, subscription: Obj, period: tuple[int, int]) -> list[Obj]:
    """What was used in a period, billed after it."""
    lines = []
    for item in subscription["items"]["data"]:
        meter_id = item["price"]["recurring"]["meter"]
        if item["price"]["recurring"]["usage_type"] == "metered":
            meter = account.get("billing.meter", meter_id)
            used = usage(account, meter, subscription["customer"], *period)
            text = f"{used.normalize():f} x {_product_name(account, item['price'])}"
            lines.append(line(item, cost(item["price"], used), period, text) | {"quantity": int(used)})
    return lines


def _product_name(account: Account, price: Obj) -> str:
    return str(account.get("product", price["product"])["name"])


def pending(account: Account, subscription: Obj) -> list[Obj]:
    """Prorations that wait for the next invoice, oldest first."""
    return [
        waiting
        for waiting in reversed(account.store.all("invoiceitem", subscription["customer"]))
        if waiting["invoice"] is None and waiting["_subscription"] == subscription["id"]
    ]


def draft(account: Account, subscription: Obj, reason: str, lines: list[Obj], period: tuple[int, int]) -> Obj:
    """An invoice of a subscription, not yet stored."""
    customer = account.get("customer", subscription["customer"])
    identifier, total = new_id("in_"), sum(part["amount"] for part in lines)
    due = max(total + customer["balance"], 0)
    return {
        "id": identifier,
        "object": "invoice",
        "account_country": "US",
        "amount_due": due,
        "amount_overpaid": 0,
        "amount_paid": 0,
        "amount_remaining": due,
        "attempt_count": 0,
        "attempted": False,
        "auto_advance": True,
        "billing_reason": reason,
        "collection_method": subscription["collection_method"],
        "created": account.now(),
        "currency": subscription["currency"],
        "customer": customer["id"],
        "customer_email": customer["email"],
        "customer_name": customer["name"],
        "default_payment_method": None,
        "description": None,
        "due_date": _due_date(account, subscription),
        "ending_balance": None,
        "hosted_invoice_url": None,
        "last_finalization_error": None,
        "lines": nested_list([part | {"invoice": identifier} for part in lines], f"/v1/invoices/{identifier}/lines"),
        "livemode": False,
        "metadata": {},
        "next_payment_attempt": None,
        "number": None,
        "parent": {
            "quote_details": None,
            "subscription_details": {
                "metadata": subscription["metadata"],
                "subscription": subscription["id"],
            },
            "type": "subscription_details",
        },
        "period_end": period[1],
        "period_start": period[0],
        "starting_balance": customer["balance"],
        "status": "draft",
        "status_transitions": {
            "finalized_at": None,
            "marked_uncollectible_at": None,
            "paid_at": None,
            "voided_at": None,
        },
        "subtotal": total,
        "test_clock": None,
        "total": total,
    }


def _due_date(account: Account, subscription: Obj) -> int | None:
    if subscription["collection_method"] != "send_invoice":
        return None
    return account.now() + int(subscription["days_until_due"] or 30) * DAY


def finalise(account: Account, invoice: Obj) -> None:
    """Number the invoice and open it; a negative total goes to the customer's balance."""
    customer = account.get("customer", invoice["customer"])
    sequence = customer["next_invoice_sequence"]
    customer["next_invoice_sequence"] = sequence + 1
    left = invoice["starting_balance"] + invoice["total"]
    customer["balance"] = min(left, 0)
    account.save(customer)
    account.emit("invoice.created", invoice)
    invoice["number"] = f"{customer['invoice_prefix']}-{sequence:04d}"
    invoice["hosted_invoice_url"] = f"{account.base_url}/invoice/{invoice['id']}"
    invoice["ending_balance"] = customer["balance"]
    invoice["status"] = "open"
    invoice["status_transitions"]["finalized_at"] = account.now()
    store(account, invoice)
    account.emit("invoice.finalized", invoice)


def store(account: Account, invoice: Obj) -> None:
    """Keep the invoice; the clock looks at it when its next payment attempt is due."""
    account.save(invoice, due=invoice["next_payment_attempt"] if invoice["status"] == "open" else None)


def payment_method(account: Account, subscription: Obj) -> str | None:
    """The subscription's own method, else the customer's default."""
    own: str | None = subscription["default_payment_method"]
    customer = account.get("customer", subscription["customer"])
    default: str | None = customer["invoice_settings"]["default_payment_method"]
    return own or default


def attempt(account: Account, invoice: Obj, method: str | None) -> StripeError | None:
    """Try to take the payment; the error that stopped it, or None when the invoice is paid."""
    failure: StripeError | None = None
    if invoice["amount_due"] > 0:
        invoice["attempted"], invoice["attempt_count"] = True, invoice["attempt_count"] + 1
        try:
            if method is None:
                raise no_payment_method()
            charge(account, method)
        except StripeError as error:
            failure = error
    if failure is None:
        mark_paid(account, invoice)
        return None
    made = invoice["attempt_count"]
    again = account.now() + RETRY_DAYS[made - 1] * DAY if made <= len(RETRY_DAYS) else None
    invoice["next_payment_attempt"] = again if invoice["auto_advance"] else None
    store(account, invoice)
    account.emit("invoice.payment_failed", invoice)
    return failure


def no_payment_method() -> StripeError:
    """What Stripe says when there is nothing to charge."""
    return StripeError(
        "This customer has no attached payment source or default payment method. Please consider adding a "
        "default payment method.",
        code="resource_missing",
    )


def mark_paid(account: Account, invoice: Obj) -> None:
    """Close the invoice as paid and tell it."""
    invoice |= {
        "status": "paid",
        "amount_paid": invoice["amount_due"],
        "amount_remaining": 0,
        "next_payment_attempt": None,
    }
    invoice["status_transitions"]["paid_at"] = account.now()
    store(account, invoice)
    account.emit("invoice.paid", invoice)
    account.emit("invoice.payment_succeeded", invoice)


def close(account: Account, invoice: Obj, status: str) -> None:
    """Void an invoice or give it up."""
    invoice |= {"status": status, "next_payment_attempt": None}
    moment = "voided_at" if status == "void" else "marked_uncollectible_at"
    invoice["status_transitions"][moment] = account.now()
    store(account, invoice)
    account.emit("invoice.voided" if status == "void" else "invoice.marked_uncollectible", invoice)
