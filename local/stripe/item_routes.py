"""Subscription items by themselves; every change is a change of their subscription."""

import copy

from local.stripe.account import Account
from local.stripe.errors import missing_parameter, no_such
from local.stripe.lists import page
from local.stripe.params import Params
from local.stripe.routes import Call, route
from local.stripe.store import Obj
from local.stripe.subscriptions import change_items


def _holding(account: Account, item_id: str) -> tuple[Obj, Obj]:
    for subscription in account.store.all("subscription"):
        for item in subscription["items"]["data"]:
            if item["id"] == item_id:
                return subscription, item
    raise no_such("subscription_item", item_id)


def _change(call: Call, subscription: Obj, change: Params) -> list[Obj]:
    change_items(call.account, subscription, copy.deepcopy(subscription), [change], call.params)
    data: list[Obj] = call.account.get("subscription", subscription["id"])["items"]["data"]
    return data


@route("GET", "/v1/subscription_items")
def list_items(call: Call) -> Obj:
    """List the items of a subscription."""
    subscription = call.account.get("subscription", call.params.required("subscription"), param="subscription")
    return page(call, subscription["items"]["data"])


@route("POST", "/v1/subscription_items")
def create_item(call: Call) -> Obj:
    """Add an item."""
    identifier = call.params.text("subscription")
    if identifier is None:
        raise missing_parameter("subscription")
    subscription = call.account.get("subscription", identifier, param="subscription")
    return _change(call, subscription, call.params)[-1]


@route("GET", "/v1/subscription_items/{id}")
def retrieve_item(call: Call) -> Obj:
    """Retrieve an item."""
    return _holding(call.account, call.id)[1]


@route("POST", "/v1/subscription_items/{id}")
def update_item(call: Call) -> Obj:
    """Change an item's price or quantity."""
    subscription, _ = _holding(call.account, call.id)
    _change(call, subscription, Params({**call.params.values, "id": call.id}))
    return _holding(call.account, call.id)[1]


@route("DELETE", "/v1/subscription_items/{id}")
def delete_item(call: Call) -> Obj:
    """Remove an item."""
    subscription, _ = _holding(call.account, call.id)
    _change(call, subscription, Params({"id": call.id, "deleted": "true"}))
    return {"id": call.id, "object": "subscription_item", "deleted": True}
