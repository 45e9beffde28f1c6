"""Billing portal sessions and configurations, and the account itself."""

from local.stripe.account import new_id
from local.stripe.lists import page
from local.stripe.routes import Call, route
from local.stripe.store import Obj


@route("POST", "/v1/billing_portal/sessions")
def create(call: Call) -> Obj:
    """Create a session; its url is a page of the stand-in."""
    account, params = call.account, call.params
    customer = account.get("customer", params.required("customer"), param="customer")
    identifier = new_id("bps_")
    session: Obj = {
        "id": identifier,
        "object": "billing_portal.session",
        "configuration": params.text("configuration", "bpc_default"),
        "created": account.now(),
        "customer": customer["id"],
        "flow": None,
        "livemode": False,
        "locale": params.text("locale"),
        "on_behalf_of": None,
        "return_url": params.text("return_url"),
        "url": f"{account.base_url}/portal/{identifier}",
    }
    account.save(session)
    account.emit("billing_portal.session.created", session)
    return session


@route("POST", "/v1/billing_portal/configurations")
def create_configuration(call: Call) -> Obj:
    """Keep a configuration as it was sent."""
    account, params = call.account, call.params
    moment = account.now()
    return account.save(
        {
            "id": new_id("bpc_"),
            "object": "billing_portal.configuration",
            "active": True,
            "business_profile": params.mapping("business_profile"),
            "created": moment,
            "default_return_url": params.text("default_return_url"),
            "features": params.mapping("features"),
            "is_default": not account.store.all("billing_portal.configuration"),
            "livemode": False,
            "metadata": params.mapping("metadata"),
            "updated": moment,
        }
    )


@route("GET", "/v1/billing_portal/configurations")
def list_configurations(call: Call) -> Obj:
    """List configurations."""
    return page(call, call.account.store.all("billing_portal.configuration"), "active", "is_default")


@route("GET", "/v1/account")
def whoami(_: Call) -> Obj:
    """The account the key belongs to."""
    return {
        "id": "acct_local",
        "object": "account",
        "charges_enabled": True,
        "country": "US",
        "default_currency": "usd",
        "type": "standard",
    }
