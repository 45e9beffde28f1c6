"""The words of opening hours."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated

import msgspec
from msgspec import Meta

_Time = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", examples=["09:00"])]
_End = Annotated[str, Meta(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$", examples=["20:00"])]


class Span(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Open from a time to another, by the clock on the wall; one that is not later is of the next day.

    `24:00` is the midnight at the day's end.
    """

    from_: _Time = msgspec.field(name="from")
    to: _End


Spans = Annotated[list[Span], Meta(max_length=8)]


class Week(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The spans that begin on each weekday; closed where there are none."""

    mon: Spans = []
    tue: Spans = []
    wed: Spans = []
    thu: Spans = []
    fri: Spans = []
    sat: Spans = []
    sun: Spans = []

    def on(self, day: date) -> list[Span]:
        """The spans that begin on a date's weekday."""
        spans: list[Span] = getattr(self, self.__struct_fields__[day.weekday()])
        return spans


class SpecialDay(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The spans that begin on one date, in place of its weekday's: none on a holiday."""

    date: date
    spans: Spans = []
    note: Annotated[str, Meta(max_length=120, pattern=r"^[^\x00]*$")] = ""


class Hours(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """When a place is open, by the clock of its own time zone."""

    week: Week = Week()
    exceptions: Annotated[list[SpecialDay], Meta(max_length=400)] = []

    def on(self, day: date) -> list[Span]:
        """The spans that begin on a date."""
        return next((one.spans for one in self.exceptions if one.date == day), self.week.on(day))


@dataclass(frozen=True, slots=True)
class Interval:
    """Open from a moment (included) to another (excluded)."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Openness:
    """Whether it is open at a moment, and when that changes: `until` where it is, `opens_at` where it is not.

    None where it does not change within a week, or for more than a year; `open` None where no hours are known.
    """

    at: datetime
    time_zone: str
    open: bool | None
    until: datetime | None
    opens_at: datetime | None
    note: str
