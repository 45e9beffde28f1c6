"""Rules, and alerts as people handle them."""

from dataclasses import replace
from uuid import UUID

import msgspec

from shared.alerts import rules
from shared.alerts.errors import AlertResolved, TooManyRules, WrongRule
from shared.alerts.model import Alert, Kind, Rule, RuleDraft
from shared.alerts.repository.alerts import AlertRepository
from shared.alerts.repository.rules import RuleRepository
from shared.alerts.service.telling import resolve, tell
from shared.figures.errors import PlaceNotFound
from shared.figures.repository import FigureRepository
from shared.figures.rules import currency_of
from tenant_context.clock import NewId
from tenant_context.context import TenantContext
from tenant_context.errors import PreconditionFailed
from tenant_context.events import Event
from tenant_context.postgres import Database, Transaction

AT_MOST = 200
"""Rules of a tenant."""


class Rules:
    """Makes, changes and removes what is to be told."""

    def __init__(
        self,
        database: Database,
        known: RuleRepository,
        alerts: AlertRepository,
        figures: FigureRepository,
        new_id: NewId,
    ) -> None:
        self._database = database
        self._rules = known
        self._alerts = alerts
        self._figures = figures
        self._new_id = new_id

    def add(self, tx: Transaction, draft: RuleDraft) -> Rule:
        """A new rule, which is judged by as soon as something comes; emits alert.rule_created.

        Errors: WrongRule, WrongCurrency, TooManyRules.
        """
        draft = self._checked(tx, draft)
        if self._rules.count(tx) >= AT_MOST:
            raise TooManyRules(f"There are {AT_MOST} rules, which is as many as there may be.")
        said = {name: getattr(draft, name) for name in draft.__slots__}
        rule = Rule(id=self._new_id(), **said, version=1, created_at=tx.now, updated_at=tx.now)
        self._rules.insert(tx, rule)
        _tell(tx, "rule_created", rule)
        return rule

    def amend(self, tx: Transaction, rule_id: UUID, draft: RuleDraft, version: int) -> Rule:
        """Other particulars; alerts of before are resolved, as they were of another rule. Emits alert.rule_updated.

        Errors: RuleNotFound, PreconditionFailed, WrongRule, WrongCurrency.
        """
        before = self._rules.lock(tx, rule_id)
        if before.version != version:
            raise PreconditionFailed(f"It is at version {before.version}; read it again.")
        draft = self._checked(tx, draft)
        said = {name: getattr(draft, name) for name in draft.__slots__}
        after = replace(before, **said, version=version + 1, updated_at=tx.now)
        self._rules.update(tx, after)
        for alert in self._alerts.current(tx, rule_id):
            resolve(tx, self._alerts, alert, "rule_changed")
        _tell(tx, "rule_updated", after)
        return after

    def remove(self, tx: Transaction, rule_id: UUID) -> None:
        """Away with a rule and its alerts; those that are open are told to be over. Emits alert.rule_removed.

        Errors: RuleNotFound.
        """
        rule = self._rules.lock(tx, rule_id)
        for alert in self._alerts.current(tx, rule_id):
            resolve(tx, self._alerts, alert, "rule_removed")
        self._rules.delete(tx, rule_id)
        _tell(tx, "rule_removed", rule)

    def show(self, tenant: TenantContext, rule_id: UUID) -> Rule:
        """A rule. Errors: RuleNotFound."""
        return self._rules.show(self._database, tenant, rule_id)

    def page(self, tenant: TenantContext, *, site: UUID | None, after: UUID | None, limit: int) -> list[Rule]:
        """Rules, newest first."""
        return self._rules.page(self._database, tenant, site=site, after=after, limit=limit)

    def _has_a_limit(self, tx: Transaction, site: UUID) -> None:
        try:
            place = self._figures.place(tx, site)
        except PlaceNotFound as error:
            raise WrongRule("/site_id", "unknown-site", "names no site of this organization") from error
        if place.kind not in {"site", "zone"}:
            raise WrongRule("/each_store", "no-limit", "must be true: only stores and zones have a limit to be reached")

    def _has_stores(self, tx: Transaction, site: UUID) -> None:
        try:
            place = self._figures.place(tx, site)
        except PlaceNotFound as error:
            raise WrongRule("/site_id", "unknown-site", "names no site of this organization") from error
        if place.kind == "zone":
            raise WrongRule("/each_store", "no-stores", "must be false: no stores are in a zone")

    def _checked(self, tx: Transaction, draft: RuleDraft) -> RuleDraft:
        """A draft by which something can be told, its amounts in a currency."""
        rules.check(draft.condition)
        if draft.condition.kind is Kind.CAPACITY and not draft.each_store:
            self._has_a_limit(tx, draft.site_id)
        if draft.each_store:
            self._has_stores(tx, draft.site_id)
        metric = draft.condition.metric if rules.is_reckoned(draft.condition) else draft.condition.kind
        known = self._figures.currencies(tx, draft.site_id)
        currency = currency_of(metric, draft.condition.currency, known, "/condition/currency")
        return replace(draft, condition=msgspec.structs.replace(draft.condition, currency=currency))


class Alerts:
    """Reads alerts, and notes that somebody has seen them."""

    def __init__(self, database: Database, alerts: AlertRepository) -> None:
        self._database = database
        self._alerts = alerts

    def show(self, tenant: TenantContext, alert_id: UUID) -> Alert:
        """An alert. Errors: AlertNotFound."""
        return self._alerts.show(self._database, tenant, alert_id)

    def page(
        self,
        tenant: TenantContext,
        *,
        site: UUID | None,
        rule: UUID | None,
        status: str | None,
        after: UUID | None,
        limit: int,
    ) -> list[Alert]:
        """Alerts, newest first."""
        return self._alerts.page(self._database, tenant, site=site, rule=rule, status=status, after=after, limit=limit)

    def acknowledge(self, tx: Transaction, alert_id: UUID, note: str) -> Alert:
        """Somebody looks after it; it stays until it resolves by itself. Again, it is the same as once.

        Emits alert.acknowledged. Errors: AlertNotFound, AlertResolved.
        """
        before = self._alerts.lock(tx, alert_id)
        if before.status == "resolved":
            raise AlertResolved
        if before.status == "acknowledged":
            return before
        user = tx.tenant.user
        after = replace(before, status="acknowledged", note=note, acknowledged_at=tx.now, acknowledged_by=user)
        self._alerts.change(tx, after)
        tell(tx, "acknowledged", after)
        return after


def _tell(tx: Transaction, kind: str, rule: Rule) -> None:
    data = {"id": str(rule.id), "site_id": str(rule.site_id), "name": rule.name, "kind": rule.condition.kind.value}
    tx.emit(Event(f"alert.{kind}", f"alert-rule/{rule.id}", {**data, "version": rule.version}))
