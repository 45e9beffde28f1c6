"""Lists and expansion: the two shapes every read shares."""

from collections.abc import Callable

from local.stripe.account import Account
from local.stripe.errors import invalid, no_such
from local.stripe.params import Params
from local.stripe.routes import Call
from local.stripe.store import Obj

MAX_LIMIT = 100


def page(call: Call, found: list[Obj], *fields: str) -> Obj:
    """Stripe's list object of `found` (newest first), filtered by the named parameters and `created`."""
    kept = [obj for obj in found if _keeps(call.params, obj, fields)]
    limit = call.params.integer("limit", 10) or 0
    if not 1 <= limit <= MAX_LIMIT:
        raise invalid("limit", f"This value must be between 1 and {MAX_LIMIT}.")
    after, before = call.params.text("starting_after"), call.params.text("ending_before")
    if after:
        kept = kept[_position(kept, after, "starting_after") + 1 :]
    if before:
        kept = kept[: _position(kept, before, "ending_before")]
        more, shown = len(kept) > limit, kept[-limit:]
    else:
        more, shown = len(kept) > limit, kept[:limit]
    return {"object": "list", "url": call.path, "has_more": more, "data": shown}


def _keeps(params: Params, obj: Obj, fields: tuple[str, ...]) -> bool:
    for name in fields:
        wanted = params.text(name)
        if wanted is not None and _text(obj.get(name)) != wanted:
            return False
    return _created_within(params, obj)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _created_within(params: Params, obj: Obj) -> bool:
    bounds = params.values.get("created")
    if not bounds:
        return True
    if isinstance(bounds, str):
        bounds = {"gte": bounds, "lte": bounds}
    tests: dict[str, Callable[[int, int], bool]] = {
        "gt": int.__gt__,
        "gte": int.__ge__,
        "lt": int.__lt__,
        "lte": int.__le__,
    }
    return all(tests[name](obj["created"], int(bound)) for name, bound in bounds.items() if name in tests)


def _position(found: list[Obj], identifier: str, param: str) -> int:
    for index, obj in enumerate(found):
        if obj["id"] == identifier:
            return index
    raise no_such("object", identifier, param=param, status=400)


def expand(account: Account, answer: Obj, paths: list[str]) -> Obj:
    """Replace ids by the objects they name, along dotted paths such as `data.customer`."""
    for path in paths:
        _expand(account, answer, path.split("."), path)
    return answer


def _expand(account: Account, node: object, parts: list[str], path: str) -> None:
    if isinstance(node, list):
        for item in node:
            _expand(account, item, parts, path)
        return
    if not isinstance(node, dict):
        return
    name, rest = parts[0], parts[1:]
    if name not in node:
        raise invalid("expand", f"This property cannot be expanded ({path}).")
    if isinstance(node[name], str):
        node[name] = account.store.find(node[name]) or node[name]
    if rest:
        _expand(account, node[name], rest, path)


def nested_list(data: list[Obj], url: str) -> Obj:
    """A list that stands inside another object."""
    return {"object": "list", "data": data, "has_more": False, "url": url}


def merged_metadata(obj: Obj, params: Params) -> dict[str, str]:
    """Metadata after an update: sent keys replace, empty ones vanish, an empty string clears all."""
    if "metadata" not in params:
        return dict(obj.get("metadata") or {})
    if params.values["metadata"] == "":
        return {}
    merged = {**(obj.get("metadata") or {}), **params.mapping("metadata")}
    return {name: value for name, value in merged.items() if value != ""}


def changed(before: Obj, after: Obj) -> Obj:
    """The former values of what an update changed, as `previous_attributes` has them."""
    return {name: value for name, value in before.items() if after.get(name) != value}
