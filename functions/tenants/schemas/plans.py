"""Limits and features, the life of an organization, and what operators do about them."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BeforeValidator, Field, StringConstraints

from functions.tenants.schemas.organizations import HeldOut
from shared.life.model import Standing
from shared.plans.model import Allowances, Grant, Kind, Limit
from shared.plans.rules import nearly_reached
from tenant_context.clock import rfc3339
from tenant_context.flags import Flag
from tenant_context.wire import In, Moment, Out, plain_text

Reason = Annotated[
    str, StringConstraints(min_length=1, max_length=255, strip_whitespace=True), BeforeValidator(plain_text)
]
Word = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


class LimitOut(Out):
    """How much of a thing the organization may have, and has; without a value there is no limit."""

    limit: str
    value: int | None
    usage: float
    """Of `storage_gb` in GB of 10^9 bytes, estimated; of what is counted by day, what sandboxes have leased of it."""
    source: str
    """`plan`, or `grant` where the platform gave more or less."""
    until: str | None
    """When that grant ends."""
    resets_at: str | None
    """When usage begins anew, where it does."""


class FeatureOut(Out):
    """Whether the organization has a feature, by its plan, its trial or a grant."""

    feature: str
    on: bool


class LimitsOut(Out):
    """What the organization may have, and has."""

    plan: str
    items: list[LimitOut]
    features: list[FeatureOut]
    flags: list[str]
    """Features still being rolled out that are on for the organization."""
    nearly_reached: list[str] | None
    """Limits of which four fifths or more are in use; null until the flag `limit-warnings` is on."""


class FeaturesOut(Out):
    """What is on for the organization: of its plan, its trial and grants, and of what is still being rolled out."""

    features: list[FeatureOut]
    flags: list[str]


class StandingOut(Out):
    """Where the organization is in its life; `closes_at` while it can still be had back."""

    state: str
    reason: str
    since: str
    closes_at: str | None
    held: HeldOut | None


class GrantIn(In):
    """What an organization gets beyond its plan: another value of a limit, so much more of it, or a feature."""

    kind: Kind
    name: Word
    amount: Annotated[int, Field(ge=0, le=1_000_000_000)] | None = None
    until: Moment | None = None
    reason: Reason


class GrantOut(Out):
    """A grant."""

    id: UUID
    kind: str
    name: str
    amount: int | None
    reason: str
    created_at: str
    until: str | None
    revoked_at: str | None


class GrantsOut(Out):
    """Every grant there was, oldest first."""

    items: list[GrantOut]


class StateIn(In):
    """Another state, and why."""

    state: Literal["billing_pending", "active", "past_due", "restricted", "suspended", "closing", "closed"]
    reason: Reason


class FlagIn(In):
    """Who has a feature: a share of all organizations, and some by name."""

    percent: Annotated[float, Field(ge=0, le=100)] = 0.0
    on: Annotated[list[UUID], Field(max_length=1000)] = []
    off: Annotated[list[UUID], Field(max_length=1000)] = []


class FlagOut(Out):
    """A feature flag."""

    flag: str
    percent: float
    on: list[UUID]
    off: list[UUID]


class FlagsOut(Out):
    """Every feature flag."""

    items: list[FlagOut]


def limits(allowances: Allowances, flags: tuple[str, ...], *, warns: bool) -> dict[str, Any]:
    """The answer's form of what an organization may have; `warns` of what it has nearly reached."""
    return {
        "plan": allowances.plan,
        "items": [_limit(one) for one in allowances.limits],
        "features": allowances.features,
        "flags": flags,
        "nearly_reached": nearly_reached(allowances.limits) if warns else None,
    }


def _limit(one: Limit) -> dict[str, Any]:
    until, resets_at = (rfc3339(at) if at else None for at in (one.until, one.resets_at))
    said = {"limit": one.limit, "value": one.value, "usage": one.usage, "source": one.source}
    return {**said, "until": until, "resets_at": resets_at}


def standing(one: Standing) -> dict[str, Any]:
    """The answer's form of where an organization is."""
    closes = rfc3339(one.closes_at) if one.closes_at else None
    held = {"state": one.held.state, "reason": one.held.reason, "since": rfc3339(one.held.since)} if one.held else None
    said = {"state": one.state, "reason": one.reason, "since": rfc3339(one.since)}
    return {**said, "closes_at": closes, "held": held}


def grant(one: Grant) -> dict[str, Any]:
    """The answer's form of a grant."""
    moments = {"created_at": one.created_at, "until": one.until, "revoked_at": one.revoked_at}
    said = {"id": one.id, "kind": one.kind, "name": one.name, "amount": one.amount, "reason": one.reason}
    return {**said, **{name: rfc3339(moment) if moment else None for name, moment in moments.items()}}


def flag(name: str, one: Flag) -> dict[str, Any]:
    """The answer's form of a flag."""
    return {"flag": name, "percent": one.percent, "on": sorted(one.on), "off": sorted(one.off)}
