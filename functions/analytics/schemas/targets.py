"""The wire's shapes of targets."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from functions.analytics.schemas.quality import Day
from shared.metrics.model import Metric
from shared.targets.model import By, Cascade, Period, Progress, Target, TargetDraft
from tenant_context.wire import Currency, In, Out, PageQuery

_Value = Annotated[Decimal, Field(ge=0, le=10**12, allow_inf_nan=False, max_digits=17, decimal_places=4)]
_Weight = Annotated[Decimal, Field(ge=0, le=10**9, allow_inf_nan=False, max_digits=16, decimal_places=6)]


class TargetIn(In):
    """What a place is to come to in the period that begins with `first_day`, or the present one, by its own clock.

    Weeks begin on Monday.
    Counts are whole; revenue has two decimals, units three, rates four.

    `currency`: of which `revenue`, `average_basket` and `sales_per_visitor` are; where a place sells in one alone, that
    one is meant, and where in several, it must be said. Set before anything is sold, it is of the one that comes;
    nothing is told where several come.
    """

    site_id: UUID
    metric: Metric = Metric.FOOTFALL
    period: Period = Period.MONTH
    first_day: Day | None = None
    value: _Value
    currency: Currency | None = None

    def draft(self) -> TargetDraft:
        """The domain's form."""
        return TargetDraft(self.site_id, self.metric.value, self.period, self.first_day, self.value, self.currency)


class ValueIn(In):
    """Another value."""

    value: _Value


class TargetOut(Out):
    """A target; `cascaded_from` is the one that it is a share of."""

    id: UUID
    site_id: UUID
    metric: Metric
    period: Period
    first_day: date
    value: float
    cascaded_from: UUID | None
    version: int
    created_at: str
    updated_at: str
    currency: str | None


class TargetPage(Out):
    """A page of targets, newest first."""

    items: list[TargetOut]
    next_cursor: str | None


class TargetQuery(PageQuery):
    """Which targets."""

    site: UUID | None = None
    metric: Metric | None = None
    period: Period | None = None
    first_day: Day | None = None


class CascadeIn(In):
    """Whether shares go by what the places brought (the same period a year before, else the last 13 weeks), or equally.

    Or by `weights`, by the places' ids; who has none gets nothing.
    """

    by: By = By.HISTORY
    weights: Annotated[dict[UUID, _Weight], Field(max_length=1000)] = {}

    def cascade(self) -> Cascade:
        """The domain's form."""
        return Cascade(self.by, self.weights)


class SharesOut(Out):
    """The targets of the places that are in it; they sum to it exactly."""

    items: list[TargetOut]


class ProgressOut(Out):
    """How far a place is: what it came to by now, and the share of its target that is.

    `expected`: what it would have by now, were it to come to the target as its weekdays usually go (of a rate, the
    target). Null, where nothing was counted or sold yet. `freshness`: the end of the newest quarter of an hour that was
    counted, or sold in, lately; of what needs both, the older one.
    """

    target: TargetOut
    starts_at: str
    ends_at: str
    actual: float | None
    share: float | None
    expected: float
    expected_share: float | None
    freshness: str | None


def shown(target: Target) -> dict[str, Any]:
    """The answer's form of a target."""
    return {**{name: getattr(target, name) for name in target.__slots__}, "value": float(target.value)}


def progress(of: Progress) -> dict[str, Any]:
    """The answer's form of how far a place is."""
    numbers = {name: getattr(of, name) for name in ("actual", "share", "expected", "expected_share")}
    plain = {name: None if value is None else float(value) for name, value in numbers.items()}
    return {
        "target": shown(of.target),
        "starts_at": of.starts_at,
        "ends_at": of.ends_at,
        "freshness": of.freshness,
        **plain,
    }
