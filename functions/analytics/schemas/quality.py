"""The wire's shapes of data quality."""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from shared.quality.model import Finding
from shared.quality.service.reading import Wanted
from tenant_context.wire import In, Out, PageQuery

Day = Annotated[date, Field(ge=date(2000, 1, 1), le=date(2199, 12, 31))]


class DaysQuery(In):
    """From which day to which, both included, as the store's own clock has them."""

    from_: Annotated[Day, Field(alias="from")]
    to: Day


class PartsOut(Out):
    """What a score is made of, each from 0 to 100."""

    gaps: int
    flat_lines: int
    jumps: int
    balance: int
    clock: int
    duplicates: int


class DayOut(Out):
    """A day of a sensor; without a score as long as the day is not over, or more came and it is to be scored anew.

    `received`: rows that came and could be counted; `duplicates` of what came said what was known already, `revised`
    said otherwise, `late` came an hour after they ended, `rejected` were refused.
    """

    day: date
    score: int | None
    parts: PartsOut | dict[str, int]
    findings: list[Finding]
    received: int
    duplicates: int
    revised: int
    late: int
    rejected: int
    scored_at: str | None


class DaysOut(Out):
    """The days of a sensor for which something came, or should have, newest first."""

    sensor: UUID
    items: list[DayOut]


class IncidentOut(Out):
    """Something that is wrong on days running, and what to do about it.

    `overlap`: intervals of one line cover the same minutes, and whoever came then is counted twice; the suggestion
    names the first of these times. `jump`: more than ten times what is usual, or than can pass a line at all.
    Closed, as it `ended` with its last day, or was `mended` by what came later.
    """

    id: UUID
    sensor_id: UUID
    site_id: UUID
    kind: Finding
    first_day: date
    last_day: date
    days: int
    status: Literal["open", "closed"]
    reason: Literal["", "ended", "mended"]
    suggestion: str
    found_at: str
    closed_at: str | None


class IncidentPage(Out):
    """A page of incidents, the newest found first."""

    items: list[IncidentOut]
    next_cursor: str | None


class IncidentQuery(PageQuery):
    """Which incidents."""

    sensor: UUID | None = None
    site: UUID | None = None
    kind: Finding | None = None
    status: Literal["open", "closed"] | None = None

    def wanted(self) -> Wanted:
        """The domain's form."""
        return Wanted(self.sensor, self.site, self.kind, self.status)
