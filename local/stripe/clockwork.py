"""Runs what has come due, in the order of time, each at its own moment."""

from local.stripe import checkout, invoicing, lifecycle
from local.stripe.account import Account
from local.stripe.store import Obj

# A year of daily renewals for some hundred subscriptions; more than that at once is a mistake in `advance`.
MAX_STEPS = 50_000


def run(account: Account, until: float) -> int:
    """Everything due by `until`; how many things were done."""
    for done in range(MAX_STEPS):
        found = account.store.earliest_due(until)
        if found is None:
            return done
        kind, moment, obj = found
        with account.at(moment):
            _wake(account, kind, obj)
    raise RuntimeError(f"the clock did not come to rest after {MAX_STEPS} steps")


def _wake(account: Account, kind: str, obj: Obj) -> None:
    if kind == "subscription":
        lifecycle.wake(account, obj)
    elif kind == "invoice":
        _retry(account, obj)
    else:
        checkout.expire(account, obj)


def _retry(account: Account, invoice: Obj) -> None:
    subscription = account.get("subscription", invoice["parent"]["subscription_details"]["subscription"])
    if subscription["status"] in lifecycle.ENDED:
        invoicing.store(account, invoice | {"next_payment_attempt": None, "auto_advance": False})
        return
    invoicing.attempt(account, invoice, invoicing.payment_method(account, subscription))
    lifecycle.follow(account, subscription, invoice)
