"""The wire's shapes of stores."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, StringConstraints

from shared.metrics.model import Granularity, Metric, Range
from shared.sites.model import SensorDraft, SiteDraft, SiteId
from shared.vendors.errors import VENDORS
from tenant_context.wire import In, Moment, Name, Out, PageQuery, Text

Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Serial = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9.:_-]{0,127}$")]
_VENDOR = (
    "Who made it, in any words, for people to read: a push is recognised by what stands in it. There are formats of"
    f" {', '.join(VENDORS)}; any other device pushes counts as JSON or CSV."
)


class SiteIn(In):
    """A site as a caller describes it; without a code it gets one."""

    name: Name
    code: Code | None = None
    address: Text = ""
    time_zone: Annotated[str, StringConstraints(max_length=64)] = "UTC"
    metadata: Annotated[
        dict[Annotated[str, StringConstraints(max_length=64)], str | int | float | bool], Field(max_length=50)
    ] = {}

    def draft(self) -> SiteDraft:
        """The domain's form."""
        return SiteDraft(self.name, self.code, self.address, self.time_zone, self.metadata)


class SiteOut(Out):
    """A site."""

    id: UUID
    name: str
    code: str
    address: str
    time_zone: str
    metadata: dict[str, Any]
    version: int
    created_at: str
    updated_at: str


class SitePage(Out):
    """A page of sites, newest first."""

    items: list[SiteOut]
    next_cursor: str | None


class SiteQuery(PageQuery):
    """Which sites: words of name and address."""

    search: Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00]*$")] | None = None


class SensorIn(In):
    """A sensor as a caller describes it; `serial` is what the device calls itself."""

    site_id: UUID
    name: Name
    serial: Serial
    kind: Annotated[str, StringConstraints(pattern="^(line|zone)$")] = "line"
    vendor: Annotated[str, StringConstraints(max_length=64), Field(description=_VENDOR)] = ""
    interval_minutes: Annotated[int, Field(ge=1, le=1440)] = 15

    def draft(self) -> SensorDraft:
        """The domain's form."""
        return SensorDraft(SiteId(self.site_id), self.name, self.serial, self.kind, self.vendor, self.interval_minutes)


class SensorOut(Out):
    """A sensor."""

    id: UUID
    site_id: UUID
    name: str
    serial: str
    kind: str
    vendor: str
    interval_minutes: int
    status: str
    version: int
    created_at: str
    updated_at: str


class SensorPage(Out):
    """A page of sensors, newest first."""

    items: list[SensorOut]
    next_cursor: str | None


class SensorQuery(PageQuery):
    """Which sensors."""

    site: UUID | None = None


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


class OccupancyOut(Out):
    """Who is inside: entries less exits since the site's midnight, never below zero."""

    site: UUID
    time_zone: str
    since: str
    entries: int
    exits: int
    occupancy: int
    as_of: str | None


class BatchOut(Out):
    """What became of a push: of `rows` queued, how many were stored, unchanged, revised or quarantined."""

    id: UUID
    kind: str
    received_at: str
    rows: int
    rejected: int
    duplicates: int
    state: str
    stored: int
    unchanged: int
    revised: int
    quarantined: int


class RejectedOut(Out):
    """A row that was refused."""

    id: UUID
    batch: UUID
    row: int
    field: str
    code: str
    message: str
    content: Any
    at: str
    resubmitted_as: UUID | None


class ResubmitIn(In):
    """The row in the form of ingest/counts or ingest/transactions; left out, it is taken as it was kept."""

    row: dict[str, Any] | None = None


class ResubmittedOut(Out):
    """What became of the row, and the batch that it is now."""

    id: UUID
    batch: UUID
    stored: int
    unchanged: int
    revised: int


class RejectedPage(Out):
    """A page of refused rows, newest first."""

    items: list[RejectedOut]
    next_cursor: str | None


class RejectedQuery(PageQuery):
    """Which refused rows."""

    batch: UUID | None = None
