"""What a change in the middle of a period costs: credit for the unused time, charge for the remaining."""

from decimal import Decimal

from local.stripe import invoicing
from local.stripe.account import Account, new_id
from local.stripe.catalog import cost, rounded
from local.stripe.store import Obj


def lines(account: Account, before: list[Obj], after: list[Obj], moment: int) -> list[Obj]:
    """Credits for items as they were and charges for items as they are, where price or quantity differ."""
    old, new = {item["id"]: item for item in before}, {item["id"]: item for item in after}
    found = []
    for identifier in [*old, *(name for name in new if name not in old)]:
        was, becomes = old.get(identifier), new.get(identifier)
        if was and becomes and _same(was, becomes):
            continue
        if was:
            found += _line(account, was, moment, -1, "Unused time on")
        if becomes:
            found += _line(account, becomes, moment, 1, "Remaining time on")
    return found


def _same(was: Obj, becomes: Obj) -> bool:
    return bool(was["price"]["id"] == becomes["price"]["id"] and was.get("quantity") == becomes.get("quantity"))


def _line(account: Account, item: Obj, moment: int, sign: int, text: str) -> list[Obj]:
    if item["price"]["recurring"]["usage_type"] == "metered":
        return []
    start, end = item["current_period_start"], item["current_period_end"]
    share = Decimal(max(end - moment, 0)) / Decimal(end - start)
    amount = sign * rounded(cost(item["price"], Decimal(item["quantity"])) * share)
    name = account.get("product", item["price"]["product"])["name"]
    return [invoicing.line(item, amount, (moment, end), f"{text} {name}", proration=True)]


def keep(account: Account, subscription: Obj, found: list[Obj]) -> None:
    """Let proration lines wait for the next invoice, as invoice items."""
    for part in found:
        item: Obj = {
            "id": new_id("ii_"),
            "object": "invoiceitem",
            "amount": part["amount"],
            "currency": part["currency"],
            "customer": subscription["customer"],
            "date": account.now(),
            "description": part["description"],
            "discountable": False,
            "invoice": None,
            "livemode": False,
            "metadata": {},
            "parent": {
                "subscription_details": {"subscription": subscription["id"]},
                "type": "subscription_details",
            },
            "period": part["period"],
            "pricing": part["pricing"],
            "proration": True,
            "quantity": part["quantity"],
            "_subscription": subscription["id"],
            "_line": part,
        }
        account.save(item)
        account.emit("invoiceitem.created", item)
