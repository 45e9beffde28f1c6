"""What happens to subscriptions as time passes: trials end, periods renew, payments fail and are tried again.

incomplete ──paid──▶ active ◀──paid── past_due ──retries over──▶ canceled
│ 23 h             ▲  │ payment failed ▲
▼                  │  └────────────────┘
incomplete_expired  trialing (trial end, with a way to pay) ; paused (trial end without one, if so wished)
"""

import copy

from local.stripe import invoicing
from local.stripe.account import Account
from local.stripe.errors import StripeError
from local.stripe.lists import changed
from local.stripe.periods import DAY, next_end
from local.stripe.store import Obj

TRIAL_WARNING = 3 * DAY
INCOMPLETE_LIFE = 23 * 3_600
ENDED = frozenset({"canceled", "incomplete_expired"})


def period(subscription: Obj) -> tuple[int, int]:
    """Start and end of the current period."""
    first = subscription["items"]["data"][0]
    return first["current_period_start"], first["current_period_end"]


def set_period(subscription: Obj, start: int, end: int) -> None:
    """Every item shares the subscription's period."""
    for item in subscription["items"]["data"]:
        item |= {"current_period_start": start, "current_period_end": end}


def due(subscription: Obj) -> int | None:
    """When the clock has to look at this subscription next."""
    status = subscription["status"]
    if status in ENDED or status in {"paused", "unpaid"}:
        return None
    if status == "incomplete":
        return int(subscription["created"]) + INCOMPLETE_LIFE
    moments: list[int | None] = [period(subscription)[1], subscription["cancel_at"]]
    if status == "trialing":
        moments.append(subscription["trial_end"])
        if not subscription["_warned"]:
            moments.append(max(subscription["trial_end"] - TRIAL_WARNING, subscription["created"]))
    return min(moment for moment in moments if moment is not None)


def store(account: Account, subscription: Obj) -> None:
    """Keep the subscription and when it is due."""
    account.save(subscription, due=due(subscription))


def tell(account: Account, subscription: Obj, before: Obj) -> None:
    """Store the subscription and tell its change, if it changed."""
    store(account, subscription)
    difference = changed(before, subscription)
    if any(not name.startswith("_") for name in difference):
        account.emit("customer.subscription.updated", subscription, difference)


def wake(account: Account, subscription: Obj) -> None:
    """Do what is due for this subscription at the account's present moment."""
    moment, status = account.now(), subscription["status"]
    if status == "incomplete":
        _expire(account, subscription)
    elif subscription["cancel_at"] is not None and subscription["cancel_at"] <= moment:
        end(account, subscription, reason="cancellation_requested")
    elif status == "trialing" and subscription["trial_end"] > moment:
        subscription["_warned"] = True
        store(account, subscription)
        account.emit("customer.subscription.trial_will_end", subscription)
    elif status == "trialing":
        end_trial(account, subscription)
    else:
        renew(account, subscription)


def _expire(account: Account, subscription: Obj) -> None:
    before = copy.deepcopy(subscription)
    subscription |= {"status": "incomplete_expired", "ended_at": account.now()}
    invoice = account.get("invoice", subscription["latest_invoice"])
    if invoice["status"] == "open":
        invoicing.close(account, invoice, "void")
    tell(account, subscription, before)


def end_trial(account: Account, subscription: Obj) -> None:
    """A trial is over: bill the first period, or pause or end where there is no way to pay and that was asked."""
    behaviour = subscription["trial_settings"]["end_behavior"]["missing_payment_method"]
    if invoicing.payment_method(account, subscription) is None and behaviour != "create_invoice":
        if behaviour == "cancel":
            end(account, subscription, reason="cancellation_requested")
        else:
            before = copy.deepcopy(subscription)
            tell(account, subscription | {"status": "paused"}, before)
            account.emit("customer.subscription.paused", subscription | {"status": "paused"})
        return
    before = copy.deepcopy(subscription)
    start = min(account.now(), subscription["trial_end"])
    subscription |= {"status": "active", "billing_cycle_anchor": start, "trial_end": start}
    bill(account, subscription, "subscription_cycle", start, before=before)


def renew(account: Account, subscription: Obj) -> None:
    """A period is over: bill what was used in it and what comes next."""
    before, old = copy.deepcopy(subscription), period(subscription)
    bill(account, subscription, "subscription_cycle", old[1], before=before, used=old)


def bill(
    account: Account,
    subscription: Obj,
    reason: str,
    start: int,
    *,
    before: Obj | None = None,
    used: tuple[int, int] | None = None,
) -> StripeError | None:
    """Begin a period at `start` and invoice it; `used` is the period whose metered usage is billed with it."""
    recurring = subscription["items"]["data"][0]["price"]["recurring"]
    span = (start, next_end(subscription["billing_cycle_anchor"], recurring, start))
    set_period(subscription, *span)
    lines = invoicing.licensed_lines(account, subscription, span)
    if used:
        lines = invoicing.metered_lines(account, subscription, used) + lines
    return invoice_now(account, subscription, reason, lines, span, before=before)


def invoice_now(
    account: Account,
    subscription: Obj,
    reason: str,
    lines: list[Obj],
    span: tuple[int, int],
    *,
    before: Obj | None = None,
) -> StripeError | None:
    """Make an invoice of the lines and what waits, try its payment, and let the subscription follow."""
    waiting = invoicing.pending(account, subscription)
    lines = [item["_line"] for item in waiting] + lines
    invoice = invoicing.draft(account, subscription, reason, lines, span)
    for item in waiting:
        account.save(item | {"invoice": invoice["id"]})
    subscription["latest_invoice"] = invoice["id"]
    if before is not None:
        tell(account, subscription, before)
    invoicing.finalise(account, invoice)
    paused = subscription["pause_collection"]
    if paused:
        invoicing.close(account, invoice, "void" if paused["behavior"] == "void" else "uncollectible")
        return None
    if invoice["collection_method"] == "send_invoice" and invoice["amount_due"] > 0:
        return None
    failure = invoicing.attempt(account, invoice, invoicing.payment_method(account, subscription))
    follow(account, subscription, invoice)
    return failure


def follow(account: Account, subscription: Obj, invoice: Obj) -> None:
    """Let the subscription's status follow its invoice's payment, or that nobody waits for that any more."""
    if subscription["status"] in ENDED or subscription["status"] == "trialing":
        return
    before = copy.deepcopy(subscription)
    if invoice["status"] == "paid":
        if subscription["status"] in {"incomplete", "past_due", "unpaid"}:
            tell(account, subscription | {"status": "active"}, before)
            subscription["status"] = "active"
    elif invoice["status"] in {"void", "uncollectible"}:
        if subscription["status"] in {"past_due", "unpaid"} and subscription["latest_invoice"] == invoice["id"]:
            tell(account, subscription | {"status": "active"}, before)
            subscription["status"] = "active"
    elif invoice["status"] == "open" and subscription["status"] != "incomplete":
        if invoice["attempt_count"] > len(invoicing.RETRY_DAYS):
            end(account, subscription, reason="payment_failed")
        elif subscription["status"] == "active":
            subscription["status"] = "past_due"
            tell(account, subscription, before)


def end(account: Account, subscription: Obj, *, reason: str) -> None:
    """Cancel now and for good."""
    moment = account.now()
    subscription |= {
        "status": "canceled",
        "canceled_at": subscription["canceled_at"] or moment,
        "ended_at": moment,
        "cancellation_details": {**subscription["cancellation_details"], "reason": reason},
    }
    store(account, subscription)
    account.emit("customer.subscription.deleted", subscription)
