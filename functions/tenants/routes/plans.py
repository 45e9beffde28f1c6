"""What an organization may have, its end and its return; and what operators do about both."""

import re

from functions.tenants.routes.declared import ONE, Organizations, routes
from functions.tenants.schemas import plans as wire
from tenant_context.context import at_tenant
from tenant_context.errors import NotFound
from tenant_context.flags import Flag
from tenant_context.postgres import Transaction
from tenant_context.routing import SIGNED_IN, Answer, Call, Proof
from tenant_context.states import State

AT = "/api/v1/operator/organizations/{organization_id}"
FLAGS = "/api/v1/operator/flags"
LIMIT_WARNINGS = "limit-warnings"
"""The flag under which limits that are nearly reached are told."""


@routes.read(ONE + "/limits", permission=SIGNED_IN, answer=wire.LimitsOut)
def limits(call: Call[None], organizations: Organizations) -> Answer:
    """Show what your organization may have and has, and which features are on for it."""
    found = organizations.plans.allowances(call.tenant, call.id("organization_id"))
    flags, tenant = organizations.flags, call.tenant.tenant
    return Answer(wire.limits(found, flags.all_on(tenant), warns=flags.on(LIMIT_WARNINGS, tenant)))


@routes.read(ONE + "/features", permission=SIGNED_IN, answer=wire.FeaturesOut)
def features(call: Call[None], organizations: Organizations) -> Answer:
    """Show which features are on for your organization, those that are still being rolled out included."""
    found = organizations.plans.features(call.tenant, call.id("organization_id"))
    return Answer({"features": found, "flags": organizations.flags.all_on(call.tenant.tenant)})


@routes.write("POST", ONE + "/close", permission=SIGNED_IN, answer=wire.StandingOut, recent=True, owners=True)
def close(call: Call[None], tx: Transaction, organizations: Organizations) -> Answer:
    """Give your organization up: read-only within five seconds, closed for good in thirty days."""
    return Answer(wire.standing(organizations.life.close(tx, call.id("organization_id"))))


@routes.write("POST", ONE + "/reopen", permission=SIGNED_IN, answer=wire.StandingOut, recent=True, owners=True)
def reopen(call: Call[None], tx: Transaction, organizations: Organizations) -> Answer:
    """Have your organization back, while it is not closed for good."""
    return Answer(wire.standing(organizations.life.reopen(tx, call.id("organization_id"))))


@routes.act("POST", AT + "/state", proof=Proof.OPERATOR, body=wire.StateIn, answer=wire.StandingOut)
def set_state(call: Call[wire.StateIn], organizations: Organizations) -> Answer:
    """Order an organization's state: `restricted`, `suspended` and `closing` stay until an operator lifts them.

    `active` (or `past_due`, `billing_pending`) lifts it: the organization is then what its billing says.
    """
    with organizations.database.transaction(at_tenant(call.tenant, call.id("organization_id"))) as tx:
        standing = organizations.life.order(tx, State(call.body.state), call.body.reason)
    return Answer(wire.standing(standing))


@routes.read(AT + "/state", proof=Proof.OPERATOR, answer=wire.StandingOut)
def state(call: Call[None], organizations: Organizations) -> Answer:
    """Show where an organization is in its life, why, and what operators ordered of it."""
    tenant = at_tenant(call.tenant, call.id("organization_id"))
    return Answer(wire.standing(organizations.life.show(organizations.database, tenant)))


@routes.act("POST", AT + "/grants", proof=Proof.OPERATOR, body=wire.GrantIn, answer=wire.GrantOut, status=201)
def give(call: Call[wire.GrantIn], organizations: Organizations) -> Answer:
    """Give an organization more than its plan does, for a time or for good."""
    body = call.body
    with organizations.database.transaction(at_tenant(call.tenant, call.id("organization_id"))) as tx:
        grant = organizations.grants.give(
            tx, body.kind, body.name, amount=body.amount, until=body.until, reason=body.reason
        )
    return Answer(wire.grant(grant))


@routes.read(AT + "/grants", proof=Proof.OPERATOR, answer=wire.GrantsOut)
def grants(call: Call[None], organizations: Organizations) -> Answer:
    """List what an organization was given beyond its plan."""
    found = organizations.grants.all(at_tenant(call.tenant, call.id("organization_id")))
    return Answer({"items": [wire.grant(one) for one in found]})


@routes.act("DELETE", AT + "/grants/{grant_id}", proof=Proof.OPERATOR, status=204)
def take_back(call: Call[None], organizations: Organizations) -> Answer:
    """End a grant; what was made under it stays."""
    with organizations.database.transaction(at_tenant(call.tenant, call.id("organization_id"))) as tx:
        organizations.grants.take_back(tx, call.id("grant_id"))
    return Answer()


@routes.read(FLAGS, proof=Proof.OPERATOR, answer=wire.FlagsOut)
def flags(call: Call[None], organizations: Organizations) -> Answer:  # noqa: ARG001  every route takes its call
    """List the feature flags."""
    found = organizations.flag_shelf.all()
    return Answer({"items": [wire.flag(name, flag) for name, flag in sorted(found.items())]})


@routes.act("PUT", FLAGS + "/{flag}", proof=Proof.OPERATOR, body=wire.FlagIn, answer=wire.FlagOut)
def set_flag(call: Call[wire.FlagIn], organizations: Organizations) -> Answer:
    """Say for whom a feature that is being rolled out is on; in force within thirty seconds.

    `limit-warnings` has limits that are nearly reached told. Other names switch nothing on the platform; they are shown
    to the organization (`flags`), for apps that ask for them.
    """
    body = call.body
    flag = Flag(body.percent, frozenset(map(str, body.on)), frozenset(map(str, body.off)))
    name = _name(call.path["flag"])
    organizations.flag_shelf.set(name, flag)
    return Answer(wire.flag(name, flag))


@routes.act("DELETE", FLAGS + "/{flag}", proof=Proof.OPERATOR, status=204)
def remove_flag(call: Call[None], organizations: Organizations) -> Answer:
    """Take a flag away: it is off for everybody within thirty seconds."""
    organizations.flag_shelf.set(_name(call.path["flag"]), None)
    return Answer()


def _name(text: str) -> str:
    if re.fullmatch(r"[a-z][a-z0-9_-]{0,63}", text) is None:
        raise NotFound("The name of a flag is 1 to 64 of a-z, 0-9, - and _, a letter first.")
    return text
