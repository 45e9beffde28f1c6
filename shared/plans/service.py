"""What tenants may have, for themselves to read and for operators to widen."""

from dataclasses import replace
from datetime import datetime
from typing import Protocol
from uuid import UUID

from shared.plans import rules
from shared.plans.errors import GrantNotFound, OrganizationUnknown
from shared.plans.model import Allowances, Feature, Grant, Held, Kind, Limit
from shared.plans.repository import HeldRepository, PlanRepository
from tenant_context.clock import Clock, NewId
from tenant_context.context import TenantContext
from tenant_context.events import Event
from tenant_context.plans import LIMITED, PACED, plan_of
from tenant_context.postgres import Transaction
from tenant_context.room import Full
from tenant_context.state_news import Allowances as News
from tenant_context.state_news import Allowed


class Today(Protocol):
    """What was counted of the present day."""

    def today(self, tenant: UUID, now: datetime) -> tuple[int, int]:
        """Calls, and rows."""


class Plans:
    """Reads what the caller's organization may have."""

    def __init__(self, repository: PlanRepository, today: Today, clock: Clock) -> None:
        self._repository = repository
        self._today = today
        self._clock = clock

    def allowances(self, tenant: TenantContext, organization: UUID) -> Allowances:
        """Limits with their usage, and features. Errors: OrganizationUnknown."""
        if organization != tenant.tenant:
            raise OrganizationUnknown
        found = self._repository.allowances(tenant, rules.FEATURES)
        counted = {one.limit: one for one in found.limits}
        others = self._others(tenant)
        limits = (*(counted.get(name) or others[name] for name in LIMITED), *(others[name] for name in PACED))
        return replace(found, limits=limits)

    def features(self, tenant: TenantContext, organization: UUID) -> tuple[Feature, ...]:
        """Features alone. Errors: OrganizationUnknown."""
        if organization != tenant.tenant:
            raise OrganizationUnknown
        return self._repository.allowances(tenant, rules.FEATURES).features

    def _others(self, tenant: TenantContext) -> dict[str, Limit]:
        """What PostgreSQL does not count."""
        now = self._clock()
        held, (calls, rows) = self._repository.held(tenant), self._today.today(tenant.tenant, now)
        used = {
            "storage_gb": rules.size_in_gb(self._repository.size(tenant)),
            "events_per_day": rows,
            "api_calls_per_day": calls,
        }
        found = {}
        for name in rules.GRANTABLE:
            value, granted, until = rules.amount(held.plan, held.grants, name, now)
            resets_at = rules.midnight(now) if name.endswith("_per_day") else None
            source = "grant" if granted else "plan"
            found[name] = Limit(name, value, used.get(name, 0), source, until, resets_at)
        return found


class Doors:
    """Has doors told what the transaction's tenant may use: how fast it may call and push, and whether it has room."""

    def __init__(self, news: News, repository: HeldRepository | None = None) -> None:
        self._news = news
        self._repository = repository or HeldRepository()

    def tell(self, tx: Transaction) -> None:
        """Tell it now; should the transaction not be kept, the job `usage` takes that back within the hour.

        Errors: OrganizationUnknown, AwsError.
        """
        _, allowed = self._judge(tx)
        self._news.tell(tx.tenant.tenant, allowed)

    def mend(self, tx: Transaction) -> None:
        """Tell what nobody said: grants that ended, room that filled up or is there again. Errors: as `tell`."""
        held, allowed = self._judge(tx)
        if allowed != Allowed(plan_of(held.plan).rate) or self._news.of(tx.tenant.tenant) is not None:
            self._news.tell(tx.tenant.tenant, allowed)

    def _judge(self, tx: Transaction) -> tuple[Held, Allowed]:
        held = self._repository.held(tx)
        amounts = rules.amounts(held, tx.now)
        gb, full = amounts["storage_gb"], None
        if gb is not None and (size := self._repository.size(tx)) >= gb * rules.GB:
            full = Full(gb, size)
        return held, Allowed(rules.rate(amounts), full)


class Listening(Protocol):
    """Who is told that a tenant's grants are others."""

    def tell(self, tx: Transaction) -> None:
        """The transaction's tenant's."""


class Grants:
    """What operators give one tenant beyond its plan; in force with the next creation, at doors within seconds."""

    def __init__(self, repository: PlanRepository, new_id: NewId, doors: Listening) -> None:
        self._repository = repository
        self._new_id = new_id
        self._doors = doors

    def give(
        self, tx: Transaction, kind: Kind, name: str, *, amount: int | None, until: datetime | None, reason: str
    ) -> Grant:
        """A grant; emits tenant.grant_given. Errors: NothingToGrant, OrganizationUnknown, OrganizationClosed."""
        grant = Grant(self._new_id(), kind, name, amount, reason, tx.now, until)
        rules.check(grant)
        self._repository.add(tx, grant)
        self._doors.tell(tx)
        _tell(tx, "tenant.grant_given", grant.id, name)
        return grant

    def take_back(self, tx: Transaction, grant: UUID) -> None:
        """End a grant; what was made under it stays. Emits tenant.grant_taken_back. Errors: GrantNotFound."""
        name = self._repository.revoke(tx, grant)
        if name is None:
            raise GrantNotFound
        self._doors.tell(tx)
        _tell(tx, "tenant.grant_taken_back", grant, name)

    def all(self, tenant: TenantContext) -> list[Grant]:
        """Every grant there was. Errors: OrganizationUnknown."""
        self._repository.held(tenant)
        return self._repository.all(tenant)


def _tell(tx: Transaction, kind: str, grant: UUID, name: str) -> None:
    data = {"id": str(grant), "name": name}
    tx.emit(Event(kind, f"grant/{grant}", data))
