"""The wire's shapes of metrics."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from shared.metrics.model import Granularity, Metric, Range
from tenant_context.wire import In, Moment, Out


class MetricsQuery(In):
    """Which metric, over what range (`from` included, `to` excluded), in which steps."""

    metric: Metric = Metric.FOOTFALL
    from_: Annotated[Moment, Field(alias="from")]
    to: Moment
    granularity: Granularity = Granularity.DAY

    def span(self) -> Range:
        """The domain's form."""
        return Range(self.from_, self.to, self.granularity)


class Point(Out):
    """One step; `value` is null where nothing was counted, `coverage` from 0 to 1."""

    start: str
    value: float | None
    coverage: float


class MetricsOut(Out):
    """A metric over a range; `freshness` is the newest interval the site has."""

    site: UUID
    metric: Metric
    granularity: Granularity
    time_zone: str
    from_: Annotated[str, Field(alias="from")]
    to: str
    total: float | None
    points: list[Point]
    freshness: str | None
