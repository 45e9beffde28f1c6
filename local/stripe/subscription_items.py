"""The items of a subscription: made, changed and removed from parameters."""

import copy

from local.stripe.account import Account, new_id
from local.stripe.catalog import new_price
from local.stripe.errors import invalid, missing_parameter
from local.stripe.lists import merged_metadata
from local.stripe.params import Params
from local.stripe.store import Obj


def new_item(account: Account, params: Params, subscription: str) -> Obj:
    """An item of a price (or of one made with it); metered prices have no quantity."""
    price = _price(account, params)
    item: Obj = {
        "id": new_id("si_"),
        "object": "subscription_item",
        "created": account.now(),
        "current_period_end": None,
        "current_period_start": None,
        "discounts": [],
        "metadata": merged_metadata({}, params),
        "price": price,
        "subscription": subscription,
        "tax_rates": [],
    }
    return _with_quantity(item, params)


def _price(account: Account, params: Params) -> Obj:
    if params.mapping("price_data"):
        data = params.nested("price_data")
        product = account.get("product", data.required("product"), param="product")
        return new_price(account, data, product["id"])
    if "price" not in params:
        raise missing_parameter("items[0][price]")
    price = account.get("price", params.required("price"), param="items[0][price]")
    if price["type"] != "recurring":
        raise invalid("items[0][price]", "The price specified is set to `type=one_time`; it must be recurring.")
    if not price["active"]:
        raise invalid("items[0][price]", f"The price specified is inactive: {price['id']}.")
    return price


def _with_quantity(item: Obj, params: Params) -> Obj:
    metered = item["price"]["recurring"]["usage_type"] == "metered"
    if metered:
        if params.integer("quantity") is not None:
            raise invalid("items[0][quantity]", "Quantity should not be specified where usage_type is `metered`.")
        item.pop("quantity", None)
        return item
    quantity = params.integer("quantity", item.get("quantity", 1))
    if quantity is None or quantity < 0:
        raise invalid("items[0][quantity]", "Quantity must not be negative.")
    return item | {"quantity": quantity}


def applied(account: Account, items: list[Obj], changes: list[Params], subscription: str) -> list[Obj]:
    """The items after the changes: by id updated or deleted, without id added. The given ones stay as they are."""
    result = copy.deepcopy(items)
    for change in changes:
        identifier = change.text("id")
        if identifier is None:
            added = new_item(account, change, subscription)
            added |= {name: items[0][name] for name in ("current_period_start", "current_period_end")}
            result.append(added)
            continue
        position = next((index for index, item in enumerate(result) if item["id"] == identifier), None)
        if position is None:
            raise invalid("items[0][id]", f"No such subscription item: '{identifier}'")
        if change.boolean("deleted"):
            del result[position]
            continue
        item = result[position] | {"metadata": merged_metadata(result[position], change)}
        if "price" in change or change.mapping("price_data"):
            item["price"] = _price(account, change)
        result[position] = _with_quantity(item, change)
    check(result)
    return result


def check(items: list[Obj]) -> None:
    """A subscription has items, of one currency and one interval, each price once."""
    if not items:
        raise invalid("items", "A subscription must have at least one active item.")
    prices = [item["price"] for item in items]
    if len({price["currency"] for price in prices}) > 1:
        raise invalid("items", "All prices on a subscription must have the same currency.")
    if len({interval(price) for price in prices}) > 1:
        raise invalid("items", "All prices on a subscription must have the same `recurring.interval`.")
    if len({price["id"] for price in prices}) < len(prices):
        raise invalid("items", "Each price may stand once in a subscription.")


def interval(price: Obj) -> tuple[str, int]:
    """A price's interval, comparable."""
    return price["recurring"]["interval"], price["recurring"]["interval_count"]
