"""Products and prices, and what a quantity of a price costs."""

from decimal import ROUND_HALF_UP, Decimal

from local.stripe.account import Account, new_id
from local.stripe.errors import StripeError, invalid, missing_parameter
from local.stripe.lists import changed, merged_metadata, page
from local.stripe.params import Params
from local.stripe.routes import Call, route
from local.stripe.store import Obj

_INTERVALS = ("day", "week", "month", "year")


@route("POST", "/v1/products")
def create_product(call: Call) -> Obj:
    """Create a product, with a first price if asked."""
    account, params = call.account, call.params
    identifier = params.text("id") or new_id("prod_")
    if account.store.find(identifier):
        raise StripeError(f"Product already exists: {identifier}", code="resource_already_exists", param="id")
    product: Obj = {
        "id": identifier,
        "object": "product",
        "active": params.boolean("active", default=True),
        "created": account.now(),
        "default_price": None,
        "description": params.text("description"),
        "images": [],
        "livemode": False,
        "marketing_features": [],
        "metadata": merged_metadata({}, params),
        "name": params.required("name"),
        "tax_code": params.text("tax_code"),
        "type": "service",
        "unit_label": params.text("unit_label"),
        "updated": account.now(),
        "url": params.text("url"),
    }
    account.save(product)
    account.emit("product.created", product)
    if params.mapping("default_price_data"):
        price = new_price(account, params.nested("default_price_data"), product["id"])
        product["default_price"] = price["id"]
        account.save(product)
    return product


@route("GET", "/v1/products")
def list_products(call: Call) -> Obj:
    """List products."""
    wanted = call.params.words("ids")
    found = [obj for obj in call.account.store.all("product") if not wanted or obj["id"] in wanted]
    return page(call, found, "active")


@route("GET", "/v1/products/{id}")
def retrieve_product(call: Call) -> Obj:
    """Retrieve a product."""
    return call.account.get("product", call.id)


@route("POST", "/v1/products/{id}")
def update_product(call: Call) -> Obj:
    """Update a product."""
    account, params = call.account, call.params
    before = account.get("product", call.id)
    after = {**before, "metadata": merged_metadata(before, params), "updated": account.now()}
    names = ("name", "description", "default_price", "unit_label", "url", "tax_code")
    after |= {name: params.text(name) for name in names if name in params}
    if "active" in params:
        after["active"] = params.boolean("active")
    account.save(after)
    account.emit("product.updated", after, changed(before, after))
    return after


def new_price(account: Account, params: Params, product: str) -> Obj:
    """Make a price of a product and tell it."""
    amount = params.decimal("unit_amount_decimal")
    if amount is None and params.text("unit_amount") is not None:
        amount = Decimal(params.integer("unit_amount") or 0)
    tiers = [_tier(tier) for tier in params.items("tiers")]
    if amount is None and not tiers:
        raise missing_parameter("unit_amount")
    lookup = params.text("lookup_key")
    if lookup:
        _claim_lookup_key(account, lookup, transfer=params.boolean("transfer_lookup_key"))
    price: Obj = {
        "id": new_id("price_"),
        "object": "price",
        "active": params.boolean("active", default=True),
        "billing_scheme": "tiered" if tiers else "per_unit",
        "created": account.now(),
        "currency": params.required("currency").lower(),
        "custom_unit_amount": None,
        "livemode": False,
        "lookup_key": lookup,
        "metadata": merged_metadata({}, params),
        "nickname": params.text("nickname"),
        "product": product,
        "recurring": _recurring(account, params),
        "tax_behavior": params.text("tax_behavior", "unspecified"),
        "tiers_mode": params.choice("tiers_mode", ("graduated", "volume"), "graduated") if tiers else None,
        "transform_quantity": None,
        "type": "recurring" if params.mapping("recurring") else "one_time",
        "unit_amount": int(amount) if amount is not None and amount == int(amount) else None,
        "unit_amount_decimal": None if amount is None else f"{amount.normalize():f}",
    }
    if tiers:
        price["tiers"] = tiers
    account.save(price)
    account.emit("price.created", price)
    return price


def _tier(tier: Params) -> Obj:
    end = tier.required("up_to")
    return {
        "up_to": None if end == "inf" else int(end),
        "unit_amount_decimal": tier.text("unit_amount_decimal") or tier.text("unit_amount", "0"),
        "flat_amount": tier.integer("flat_amount", 0),
    }


def _recurring(account: Account, params: Params) -> Obj | None:
    if not params.mapping("recurring"):
        return None
    recurring = params.nested("recurring")
    meter = recurring.text("meter")
    if meter:
        account.get("billing.meter", meter, param="recurring[meter]")
    usage = recurring.choice("usage_type", ("licensed", "metered"), "licensed")
    if usage == "metered" and not meter:
        raise missing_parameter("recurring[meter]")
    if recurring.text("interval") not in _INTERVALS:
        raise invalid("recurring[interval]", f"Invalid interval: must be one of {', '.join(_INTERVALS)}")
    return {
        "interval": recurring.required("interval"),
        "interval_count": recurring.integer("interval_count", 1),
        "meter": meter,
        "trial_period_days": None,
        "usage_type": usage,
    }


def _claim_lookup_key(account: Account, key: str, *, transfer: bool) -> None:
    for price in account.store.all("price"):
        if price["lookup_key"] == key:
            if not transfer:
                raise invalid("lookup_key", f"A price (`{price['id']}`) already uses that lookup key.")
            account.save(price | {"lookup_key": None})


@route("POST", "/v1/prices")
def create_price(call: Call) -> Obj:
    """Create a price, of a known product or of one made with it."""
    account, params = call.account, call.params
    if params.mapping("product_data"):
        product = create_product(Call(account, call.path, {}, params.nested("product_data")))
    else:
        product = account.get("product", params.required("product"), param="product")
    return new_price(account, params, product["id"])


@route("GET", "/v1/prices")
def list_prices(call: Call) -> Obj:
    """List prices, by product, currency, type or lookup keys."""
    keys = call.params.words("lookup_keys")
    found = [obj for obj in call.account.store.all("price") if not keys or obj["lookup_key"] in keys]
    return page(call, found, "active", "product", "currency", "type")


@route("GET", "/v1/prices/{id}")
def retrieve_price(call: Call) -> Obj:
    """Retrieve a price."""
    return call.account.get("price", call.id)


@route("POST", "/v1/prices/{id}")
def update_price(call: Call) -> Obj:
    """Update what may change of a price: not its amount."""
    account, params = call.account, call.params
    before = account.get("price", call.id)
    after = {**before, "metadata": merged_metadata(before, params)}
    if "active" in params:
        after["active"] = params.boolean("active")
    if "nickname" in params:
        after["nickname"] = params.text("nickname")
    if "lookup_key" in params:
        key = params.text("lookup_key")
        if key and key != before["lookup_key"]:
            _claim_lookup_key(account, key, transfer=params.boolean("transfer_lookup_key"))
        after["lookup_key"] = key
    account.save(after)
    account.emit("price.updated", after, changed(before, after))
    return after


def cost(price: Obj, quantity: Decimal) -> int:
    """What a quantity costs in the currency's smallest unit, rounded half up."""
    if price["billing_scheme"] == "per_unit":
        return rounded(Decimal(price["unit_amount_decimal"]) * quantity)
    total, reached = Decimal(0), Decimal(0)
    for tier in price["tiers"]:
        end = Decimal(tier["up_to"]) if tier["up_to"] is not None else None
        last = end is None or quantity <= end
        unit, flat = Decimal(tier["unit_amount_decimal"]), Decimal(tier["flat_amount"])
        if price["tiers_mode"] == "volume":
            if last:
                return rounded(unit * quantity + flat)
            continue
        here = (quantity if end is None else min(quantity, end)) - reached
        total += unit * here + (flat if here > 0 else 0)
        reached = quantity if end is None else end
        if last:
            break
    return rounded(total)


def rounded(amount: Decimal) -> int:
    """Half up, as invoices round."""
    return int(amount.quantize(Decimal(1), ROUND_HALF_UP))
