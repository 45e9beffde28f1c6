"""The two pages a person may be sent to: checkout and billing portal. Plain HTML, every value escaped."""

from html import escape

from local.stripe import checkout
from local.stripe.account import Account
from local.stripe.store import Obj

_PAGE = (
    "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
    "<title>{title}</title><style>body{{font:16px system-ui;max-width:34rem;margin:3rem auto;padding:0 1rem}}"
    "button{{font:inherit;padding:.5rem 1rem}}</style><h1>{title}</h1>{body}"
    "<p><small>A local stand-in for Stripe: no money moves.</small></p></html>"
)


def render(account: Account, path: str) -> str:
    """The page at `/checkout/{id}` or `/portal/{id}`; raises Stripe's 404 where there is none."""
    kind, identifier = path.strip("/").split("/", 1)
    if kind == "checkout":
        return _checkout(account.get("checkout.session", identifier))
    session = account.get("billing_portal.session", identifier)
    subscriptions = account.store.all("subscription", session["customer"])
    rows = "".join(f"<li>{escape(held['id'])}: {escape(held['status'])}</li>" for held in subscriptions)
    back = session["return_url"]
    link = f"<p><a href='{escape(back)}'>Back</a></p>" if back else ""
    return _PAGE.format(title="Billing", body=f"<ul>{rows or '<li>No subscriptions</li>'}</ul>{link}")


def _checkout(session: Obj) -> str:
    if session["status"] != "open":
        return _PAGE.format(title="Checkout", body=f"<p>This session is {escape(session['status'])}.</p>")
    amount = f"{(session['amount_total'] or 0) / 100:.2f} {(session['currency'] or '').upper()}"
    rows = "".join(f"<li>{escape(item['description'])}</li>" for item in session["_items"])
    form = "<form method=post><button>Pay</button></form>"
    return _PAGE.format(title="Checkout", body=f"<ul>{rows}</ul><p>{escape(amount)}</p>{form}")


def submit(account: Account, path: str) -> str:
    """Complete the checkout and tell where the buyer goes next."""
    identifier = path.rpartition("/")[2]
    session = checkout.complete(account, identifier)
    back: str = session["success_url"] or f"{account.base_url}/checkout/{identifier}"
    return back.replace("{CHECKOUT_SESSION_ID}", identifier)
