"""The wire's shapes of metrics."""

from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import BeforeValidator, Field, StringConstraints, field_validator

from shared.metrics.model import (
    EVERYBODY,
    Ask,
    Compare,
    Granularity,
    GroupBy,
    Impute,
    Metric,
    Range,
    RankAsk,
)
from shared.metrics.rules.ranking import After, read_cursor
from tenant_context.errors import FieldError, Invalid
from tenant_context.wire import In, Moment, Out

Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


def _split(said: Any) -> Any:
    return tuple(said.split(",")) if isinstance(said, str) else said


class MetricsQuery(In):
    """Which metrics (one, or several with commas between), over what range (`from` included, `to` excluded).

    Steps are whole: the first is the one that `from` lies in, the last the one before `to` or that `to` lies in; totals
    are of these steps. Days, weeks (from Monday) and months begin at the place's own midnight.

    `compare` adds what was before: the period right before, or the one 52 weeks ago (of months: twelve months ago), so
    that Mondays are compared with Mondays; `previous_coverage` says how much of that was counted. `group_by` tells
    numbers apart: by what is right within the place, by the zones of a store, by weekday, or by the hour of its clock.
    `impute` fills what is typical into gaps, marked: into quarters of an hour in which a store counted nothing, so that
    totals are the same whatever the granularity.
    """

    metric: Annotated[tuple[Metric, ...], BeforeValidator(_split), Field(min_length=1, max_length=len(Metric))] = (
        Metric.FOOTFALL,
    )
    """One, or several with commas between."""
    from_: Annotated[Moment, Field(alias="from")]
    """The first step is the one that this lies in."""
    to: Moment
    """The last step ends here, or is the one that this lies in."""
    granularity: Granularity = Granularity.DAY
    compare: Compare | None = None
    group_by: GroupBy | None = None
    impute: Impute = Impute.NONE
    currency: Currency | None = None
    """Wanted of amounts where receipts are of several."""

    @field_validator("metric")
    @classmethod
    def _once(cls, metrics: tuple[Metric, ...]) -> tuple[Metric, ...]:
        if len(set(metrics)) < len(metrics):
            raise ValueError("names a metric twice")
        return metrics

    def ask(self, place: UUID = EVERYBODY) -> Ask:
        """The domain's form."""
        return Ask(
            place,
            self.metric,
            Range(self.from_, self.to, self.granularity),
            self.compare,
            self.group_by,
            self.impute,
            self.currency,
        )


class Format(StrEnum):
    """What an export is."""

    CSV = "csv"
    PARQUET = "parquet"


class ExportQuery(MetricsQuery):
    """The same, as a table: a row for each step (of each group), a column for each metric."""

    format: Format = Format.CSV


class RankingQuery(In):
    """Stores by a metric over a range of whole days; `within` a region or district, or of the whole organization."""

    metric: Metric = Metric.FOOTFALL
    from_: Annotated[Moment, Field(alias="from")]
    to: Moment
    within: UUID | None = None
    order: Annotated[str, StringConstraints(pattern=r"^(asc|desc)$")] = "desc"
    currency: Currency | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str, StringConstraints(max_length=300)] | None = None

    def ask(self) -> RankAsk:
        """The domain's form."""
        within = self.within or EVERYBODY
        return RankAsk(within, self.metric, self.from_, self.to, self.order == "desc", self.currency)

    def after(self) -> After | None:
        """Where the page before ended. Errors: Invalid."""
        if self.cursor is None:
            return None
        found = read_cursor(self.cursor)
        if found is None:
            raise Invalid(errors=(FieldError("?cursor", "cursor", "is not a cursor of this list"),))
        return found


class RankingExportQuery(RankingQuery):
    """The same, as a table: a row for each store, in order; all of them, up to 5,000."""

    limit: Annotated[int, Field(ge=1, le=5_000)] = 5_000
    format: Format = Format.CSV


class Point(Out):
    """One step; `value` is null where nothing was counted, `imputed` where gaps were filled.

    `coverage` is from 0 to 1, of the step up to now; 0 where nothing was to be counted, as in a step that is to come.
    """

    start: str
    value: float | None
    coverage: float
    imputed: bool = False
    previous: float | None = None
    change: float | None = None
    previous_coverage: float | None = None


class Series(Out):
    """A metric: in whole, by step, and against what it is compared with; of weekdays and hours the `average` of a day.

    Averages are of the `days` of which there is something to tell: of a day, or an hour of it, that was not counted (of
    what tills tell: in which nothing was sold) there is nothing. What is a rate, or per something, does not add up: its
    average is that of all these days together, as its `total`.

    `change` is of what was counted, however much that was, and of the whole range before. Where `comparable` is false,
    more than a tenth of the range is still to come, and the change tells of the hour; or the coverage of both differs
    by more than a tenth, and it tells of sensors rather than of people. What tills tell asks for no coverage.
    """

    metric: Metric
    total: float | None
    currency: str | None = None
    points: list[Point] = []
    coverage: float | None = None
    previous: float | None = None
    change: float | None = None
    previous_coverage: float | None = None
    """Of the whole range that it is compared with; a quotient of minutes, as `coverage`."""
    comparable: bool | None = None
    average: float | None = None
    days: int | None = None


class MetricGroup(Out):
    """What is told apart: a place, a weekday (Monday is 1) or an hour."""

    id: UUID | None = None
    name: str | None = None
    kind: str | None = None
    weekday: int | None = None
    hour: int | None = None
    series: list[Series]


class Place(Out):
    """What the numbers are of."""

    kind: str
    name: str


class Compared(Out):
    """The range that is compared with."""

    with_: Annotated[Compare, Field(alias="with")]
    from_: Annotated[str, Field(alias="from")]
    to: str


class MetricsOut(Out):
    """Metrics over a range: of one its total and points, of several `series`, of groups `groups`.

    `freshness` is the end of the newest quarter of an hour that was counted at the place, as in its occupancy,
    `sales_freshness` of the newest that something was sold in. `coverage` is of the whole range: minutes counted over
    minutes that sensors were in service up to the present quarter of an hour, closed hours included, as a counter tells
    zero at night as well (the score of `quality` asks of opening hours alone); minutes that intervals of one line cover
    twice, which `quality` tells as `overlap`, count twice in it until they are mended. Conversion and sales per visitor
    of more than a store are of those stores that both counted and sold in the range. `spread`: sensors count in
    intervals longer than a step, which are spread evenly over the steps that they cover.

    `transactions` are receipts that undo no other one (`cancels`, `returns`) and whose total is not below zero. One
    that others undo stays a transaction, also where nothing of it is left: what is undone is taken from `revenue` and
    `units`, and not from `transactions`, so neither from what is divided by or made of those (`conversion_rate`,
    `average_basket`, `units_per_transaction`).
    """

    site: UUID | None
    place: Place
    granularity: Granularity
    time_zone: str
    from_: Annotated[str, Field(alias="from")]
    to: str
    metric: Metric | None = None
    total: float | None = None
    currency: str | None = None
    previous: float | None = None
    change: float | None = None
    previous_coverage: float | None = None
    comparable: bool | None = None
    points: list[Point] = []
    series: list[Series] = []
    group_by: GroupBy | None = None
    groups: list[MetricGroup] = []
    compare: Compared | None = None
    coverage: float
    imputed: bool
    spread: bool
    freshness: str | None
    sales_freshness: str | None


class RankedOut(Out):
    """A store, its place (equals share one), and how it changed against as many days before."""

    rank: int
    site: UUID
    name: str
    code: str
    value: float | None
    previous: float | None
    change: float | None
    coverage: float


class RankingOut(Out):
    """Stores in order; those with nothing to tell come last."""

    first_day: str
    last_day: str
    time_zone: str
    metric: Metric
    currency: str | None
    items: list[RankedOut]
    next_cursor: str | None
    freshness: str | None
    sales_freshness: str | None
