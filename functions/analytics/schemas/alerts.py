"""The wire's shapes of alerts and their rules."""

from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from pydantic import Field, StringConstraints

from shared.alerts.model import Alert, Condition, Kind, Quiet, Rule, RuleDraft
from shared.metrics.model import Metric
from tenant_context.wire import Currency, In, Name, Out, PageQuery, Text

_Time = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$"), Field(examples=["22:00"])]
_Number = Annotated[Decimal, Field(ge=-(10**12), le=10**12, allow_inf_nan=False, max_digits=16, decimal_places=4)]
Severity = Literal["info", "warning", "critical"]


class QuietIn(In):
    """From a time to another by the place's own clock, over midnight if it is earlier: no alert opens meanwhile."""

    from_: Annotated[_Time, Field(alias="from")]
    to: _Time


class ConditionIn(In):
    """When an alert is to be; which of these count follows from the kind.

    `threshold`: `metric` of a period is above or below `value`. `change`: it rose (`above`) or fell (`below`) by more
    than `value` percent `against` the period before, the same a week before, or a year (364 days, or twelve months).
    `missing_data`: no counts (`footfall`), or receipts (`transactions`), came for `value` minutes, of which only those
    count in which the store is open. `capacity`: the limit of `sites/{id}/capacity` is reached. `clear_at`: an alert
    that is open resolves only there; at `value` unless it is said. `currency`: of which `revenue`, `average_basket` and
    `sales_per_visitor` are; where a place sells in one alone, that one is meant, and where in several, it must be said.

    A period is judged once every sensor of the place, or every store that sells, told of all of it; who told nothing
    for a day and a half (of hours: three hours) is not waited for. Sums that are `above` are told while they grow.
    """

    kind: Kind
    metric: Metric = Metric.FOOTFALL
    direction: Literal["above", "below"] = "above"
    value: _Number = Decimal(0)
    clear_at: _Number | None = None
    period: Literal["hour", "day", "week", "month"] = "day"
    against: Literal["previous", "week", "year"] = "previous"
    quiet: QuietIn | None = None
    currency: Currency | None = None

    def condition(self) -> Condition:
        """The domain's form."""
        quiet = Quiet(self.quiet.from_, self.quiet.to) if self.quiet else None
        how = (self.metric.value, self.direction, self.value, self.clear_at, self.period, self.against)
        return Condition(self.kind, *how, quiet, self.currency)


class RuleIn(In):
    """A rule of a place, or with `each_store` of each store in it by itself."""

    name: Name
    site_id: UUID
    each_store: bool = False
    condition: ConditionIn
    severity: Severity = "warning"
    enabled: bool = True

    def draft(self) -> RuleDraft:
        """The domain's form."""
        how = self.condition.condition()
        return RuleDraft(self.name, self.site_id, self.each_store, how, self.severity, self.enabled)


class RuleOut(Out):
    """A rule."""

    id: UUID
    name: str
    site_id: UUID
    each_store: bool
    condition: dict[str, Any]
    severity: Severity
    enabled: bool
    version: int
    created_at: str
    updated_at: str


class RulePage(Out):
    """A page of rules, newest first."""

    items: list[RuleOut]
    next_cursor: str | None


class RuleQuery(PageQuery):
    """Which rules."""

    site: UUID | None = None


class AlertOut(Out):
    """Something that was to be told of a place: `value` as it was when it was opened, measured until `measured_at`."""

    id: UUID
    rule_id: UUID
    rule_name: str
    site_id: UUID
    kind: Kind
    severity: Severity
    status: Literal["open", "acknowledged", "resolved"]
    reason: str
    value: float | None
    measured_at: str
    message: str
    note: str
    opened_at: str
    acknowledged_at: str | None
    acknowledged_by: UUID | None
    resolved_at: str | None


class AlertPage(Out):
    """A page of alerts, newest first."""

    items: list[AlertOut]
    next_cursor: str | None


class AlertQuery(PageQuery):
    """Which alerts."""

    site: UUID | None = None
    rule: UUID | None = None
    status: Literal["open", "acknowledged", "resolved"] | None = None


class AcknowledgeIn(In):
    """What to note beside it."""

    note: Text = ""


def shown(rule: Rule) -> dict[str, Any]:
    """The answer's form of a rule, its condition whole."""
    condition = rule.condition
    whole = {name: getattr(condition, name) for name in condition.__struct_fields__}
    numbers = {
        name: None if value is None else float(value) for name, value in whole.items() if name in {"value", "clear_at"}
    }
    fields = {name: getattr(rule, name) for name in rule.__slots__ if name != "condition"}
    return {**fields, "condition": {**whole, **numbers, "quiet": msgspec.to_builtins(condition.quiet)}}


def alert(value: Alert) -> dict[str, Any]:
    """The answer's form of an alert."""
    fields = {name: getattr(value, name) for name in value.__slots__}
    return {**fields, "value": None if value.value is None else float(value.value)}
