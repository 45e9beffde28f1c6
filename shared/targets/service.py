"""Targets, as functions use them."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from shared.figures.errors import PlaceNotFound
from shared.figures.model import MONEY, Place
from shared.figures.repository import FigureRepository
from shared.figures.rules import currency_of, sources
from shared.targets import rules
from shared.targets.errors import TooManyTargets, WrongCascade, WrongTarget
from shared.targets.model import By, Cascade, Period, Progress, Target, TargetDraft
from shared.targets.repository import TargetRepository
from tenant_context.clock import NewId
from tenant_context.context import TenantContext
from tenant_context.errors import PreconditionFailed
from tenant_context.events import Event
from tenant_context.postgres import Database, Transaction

AT_MOST = 20_000
"""Targets of a tenant."""
MOST_CHILDREN = 1_000
"""Places that a target is shared out among at once."""
_USUAL = timedelta(weeks=8)
"""How long a usual week is looked for."""
_QUARTER = timedelta(minutes=15)
_LATELY = timedelta(days=91)
"""What shares go by where nothing happened a year before."""


class Targets:
    """Sets, shares out and reads what places are to come to."""

    def __init__(self, database: Database, targets: TargetRepository, figures: FigureRepository, new_id: NewId) -> None:
        self._database = database
        self._targets = targets
        self._figures = figures
        self._new_id = new_id

    def add(self, tx: Transaction, draft: TargetDraft) -> Target:
        """A new target; emits target.created. Errors: WrongTarget, WrongCurrency, TargetExists, TooManyTargets."""
        first_day = draft.first_day or rules.begins(draft.period, self._today(tx, draft.site_id))
        rules.check(draft.metric, draft.period, first_day, draft.value)
        if rules.is_of_stores(draft.metric) and self._place(tx, draft.site_id).kind == "zone":
            raise WrongTarget("/metric", "zone", f"must be footfall or exits: a zone has no {draft.metric}")
        currency = currency_of(draft.metric, draft.currency, self._figures.currencies(tx, draft.site_id), "/currency")
        self._room(tx, 1)
        return self._add(tx, replace(draft, currency=currency), first_day, None)

    def amend(self, tx: Transaction, target_id: UUID, value: Decimal, version: int) -> Target:
        """Another value; it is nobody's share then. Emits target.updated.

        Errors: TargetNotFound, PreconditionFailed, WrongTarget.
        """
        before = self._targets.lock(tx, target_id)
        if before.version != version:
            raise PreconditionFailed(f"It is at version {before.version}; read it again.")
        rules.check(before.metric, Period(before.period), before.first_day, value)
        return self._change(tx, before, value, None)

    def remove(self, tx: Transaction, target_id: UUID) -> None:
        """Away with a target; what was shared out of it stays. Emits target.removed. Errors: TargetNotFound."""
        target = self._targets.lock(tx, target_id)
        self._targets.delete(tx, target_id)
        tx.emit(_event("target.removed", target))

    def show(self, tenant: TenantContext, target_id: UUID) -> Target:
        """A target. Errors: TargetNotFound."""
        return self._targets.show(self._database, tenant, target_id)

    def page(
        self,
        tenant: TenantContext,
        *,
        site: UUID | None,
        metric: str | None,
        period: str | None,
        first_day: date | None,
        after: UUID | None,
        limit: int,
    ) -> list[Target]:
        """Targets, newest first."""
        return self._targets.page(
            self._database, tenant, site=site, metric=metric, period=period, first_day=first_day, after=after,
            limit=limit,
        )  # fmt: skip

    def cascade(self, tx: Transaction, target_id: UUID, how: Cascade) -> list[Target]:
        """Share a target out among the places that are in its own: they sum to it exactly, in place of what they had.

        Emits target.cascaded, and target.created or target.updated of each. Errors: TargetNotFound, WrongCascade,
        TooManyTargets.
        """
        target = self._targets.lock(tx, target_id)
        step = rules.STEPS.get(target.metric)
        if step is None:
            raise WrongCascade("", "rate", f"{target.metric} is a rate: those of parts do not sum to that of the whole")
        children = self._targets.children(tx, target.site_id)
        if not children:
            raise WrongCascade("", "no-children", "nothing is in the place of this target")
        if rules.is_of_stores(target.metric) and self._figures.place(tx, target.site_id).kind == "site":
            raise WrongCascade("", "zones", f"zones are in the place of this target, and have no {target.metric}")
        if len(children) > MOST_CHILDREN:
            raise WrongCascade("", "too-many-children", f"more than {MOST_CHILDREN} places are in it")
        values = rules.shares(target.value, self._weights(tx, target, children, how), step)
        present = self._targets.of_children(tx, children, target)
        self._room(tx, len(children) - len(present))
        made = []
        for child, value in zip(children, values, strict=True):
            if child in present:
                made.append(self._change(tx, present[child], value, target.id))
                continue
            draft = TargetDraft(child, target.metric, Period(target.period), None, value, target.currency)
            made.append(self._add(tx, draft, target.first_day, target.id))
        tx.emit(Event("target.cascaded", f"target/{target.id}", {**_told(target), "by": how.by, "shares": len(made)}))
        return made

    def progress(self, tx: Transaction, target_id: UUID) -> Progress:
        """How far the target's place is. Errors: TargetNotFound."""
        target = self._targets.lock(tx, target_id)
        place = self._figures.place(tx, target.site_id)
        zone, period = ZoneInfo(place.time_zone), Period(target.period)
        currency = self._currency(tx, target)
        last = rules.following(period, target.first_day)
        start, end = rules.midnight(zone, target.first_day), rules.midnight(zone, last)
        until = min(end, max(start, tx.now))
        actual = self._figures.value(tx, place, target.metric, start, until, currency)
        expected = self._expected(tx, target, place, zone)
        shares = _part(actual, target.value), _part(expected, target.value)
        fresh = self._freshness(tx, place, target.metric)
        return Progress(target, start, end, actual, shares[0], expected, shares[1], fresh)

    def _freshness(self, tx: Transaction, place: Place, metric: str) -> datetime | None:
        told = [self._figures.newest(tx, place.id, tx.now + _QUARTER, source=one) for one in sources(metric)]
        known = [one + _QUARTER for one in told if one is not None]
        return min(known) if len(known) == len(told) else None

    def _expected(self, tx: Transaction, target: Target, place: Place, zone: ZoneInfo) -> Decimal:
        if target.metric in rules.RATES:
            return target.value
        length = (rules.following(Period(target.period), target.first_day) - target.first_day).days
        days = [target.first_day + timedelta(days=ahead) for ahead in range(length)]
        until, currency = min(target.first_day, tx.now.astimezone(zone).date()), self._currency(tx, target)
        history = {
            day: sums.value(target.metric) or Decimal(0)
            for day, sums in self._figures.days(tx, place.id, until - _USUAL, until, currency=currency).items()
        }
        elapsed = rules.gone_by(days, zone, tx.now)
        return rules.expected(target.value, days, rules.weekdays(history), elapsed)

    def _weights(self, tx: Transaction, target: Target, children: list[UUID], how: Cascade) -> list[Decimal]:
        if how.by is By.EQUALLY:
            return [Decimal(1)] * len(children)
        if how.by is By.WEIGHT:
            if strange := sorted(str(one) for one in how.weights if one not in children):
                raise WrongCascade(f"/weights/{strange[0]}", "unknown-child", "is not in the place of this target")
            weights = [how.weights.get(child, Decimal(0)) for child in children]
            if not any(weights):
                raise WrongCascade("/weights", "no-weight", "must be above 0 for some place that is in it")
            return weights
        return self._history(tx, target, children)

    def _history(self, tx: Transaction, target: Target, children: list[UUID]) -> list[Decimal]:
        """What the places brought in the same period a year before, or lately."""
        period = Period(target.period)
        zone = ZoneInfo(self._figures.place(tx, target.site_id).time_zone)
        before = rules.year_before(period, target.first_day)
        lately = min(rules.midnight(zone, target.first_day), tx.now)
        spans = (
            (rules.midnight(zone, before), rules.midnight(zone, rules.following(period, before))),
            (lately - _LATELY, lately),
        )
        currency = self._currency(tx, target)
        for start, end in spans:
            sums = [self._figures.sums(tx, child, zone, start, end, currency=currency) for child in children]
            found = [one.value(target.metric) for one in sums]
            weights = [max(Decimal(0), one or Decimal(0)) for one in found]
            if any(weights):
                return weights
        raise WrongCascade("/by", "no-history", "nothing is known of these places to go by; share it out another way")

    def _currency(self, tx: Transaction, target: Target) -> str | None:
        """Of which a target's amounts are: of the only one there is, where it was set before any sale."""
        if target.currency or target.metric not in MONEY:
            return target.currency
        known = self._figures.currencies(tx, target.site_id)
        return known[0] if len(known) == 1 else None

    def _today(self, tx: Transaction, site: UUID) -> date:
        return tx.now.astimezone(ZoneInfo(self._place(tx, site).time_zone)).date()

    def _place(self, tx: Transaction, site: UUID) -> Place:
        try:
            return self._figures.place(tx, site)
        except PlaceNotFound as error:
            raise WrongTarget("/site_id", "unknown-site", "names no site of this organization") from error

    def _room(self, tx: Transaction, more: int) -> None:
        if self._targets.count(tx) + more > AT_MOST:
            raise TooManyTargets(f"There may be {AT_MOST} targets.")

    def _add(self, tx: Transaction, draft: TargetDraft, first_day: date, of: UUID | None) -> Target:
        target = Target(
            id=self._new_id(),
            site_id=draft.site_id,
            metric=draft.metric,
            period=draft.period.value,
            first_day=first_day,
            value=draft.value,
            cascaded_from=of,
            version=1,
            created_at=tx.now,
            updated_at=tx.now,
            currency=draft.currency,
        )
        self._targets.insert(tx, target)
        tx.emit(_event("target.created", target))
        return target

    def _change(self, tx: Transaction, before: Target, value: Decimal, of: UUID | None) -> Target:
        after = replace(before, value=value, cascaded_from=of, version=before.version + 1, updated_at=tx.now)
        self._targets.update(tx, after)
        tx.emit(_event("target.updated", after))
        return after


def _part(value: Decimal | None, of: Decimal) -> Decimal | None:
    return None if value is None or not of else round(value / of, 4)


def _told(target: Target) -> dict[str, object]:
    about = {"id": str(target.id), "site_id": str(target.site_id), "metric": target.metric, "period": target.period}
    value = f"{target.value.normalize():f}"
    said = {"value": value, "currency": target.currency, "version": target.version}
    return {**about, "first_day": target.first_day.isoformat(), **said}


def _event(kind: str, target: Target) -> Event:
    return Event(kind, f"target/{target.id}", _told(target))
