"""What makes a site."""

import re
import unicodedata
from datetime import UTC, datetime
from functools import lru_cache
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from shared.sites.errors import UnknownTimeZone, WrongSetup
from shared.sites.model import SMALLEST_COUNTER, Columns, Setup

LARGEST_MULTIPLIER = 100

_NO_PLACE = re.compile(r"localtime|posixrules|Factory|(posix|right)/.*")
"""Files beside the zones' own, which Python reads and PostgreSQL does not know."""


@lru_cache(maxsize=256)
def check_time_zone(name: str) -> None:
    """Raise `UnknownTimeZone` unless the name is one PostgreSQL and Python both know by its full IANA name."""
    if _NO_PLACE.fullmatch(name) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*", name):
        raise UnknownTimeZone
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UnknownTimeZone from error


def code_of(name: str, fresh: UUID) -> str:
    """A code from a site's name, told apart by a few characters of its id."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return f"{re.sub(r'[^a-z0-9]+', '-', plain).strip('-')[:40] or 'site'}-{fresh.hex[-6:]}"


def check_setup(setup: Setup) -> None:
    """Raise `UnknownTimeZone` or `WrongSetup` for what could not be read by."""
    if setup.time_zone:
        check_time_zone(setup.time_zone)
    if setup.rollover_at is not None and setup.rollover_at < SMALLEST_COUNTER:
        raise WrongSetup(
            "/rollover_at", "rollover", f"must be {SMALLEST_COUNTER} or more: where the counter begins anew"
        )
    before = None
    for place, one in enumerate(setup.calibrations):
        # Compared, not reckoned with: a decimal may have an exponent that overflows any arithmetic.
        if not one.multiplier.is_finite() or not 0 < one.multiplier <= LARGEST_MULTIPLIER:
            message = f"must be above 0 and {LARGEST_MULTIPLIER} at most"
            raise WrongSetup(f"/calibrations/{place}/multiplier", "multiplier", message)
        if before is not None and one.since <= before:
            raise WrongSetup(f"/calibrations/{place}/since", "order", "must be after the one before")
        before = one.since
    if setup.csv is not None:
        _check_columns(setup.csv)


def _check_columns(columns: Columns) -> None:
    if not columns.start:
        raise WrongSetup("/csv/start", "missing", "must name the column of the interval's start")
    if not columns.entries and not columns.exits:
        raise WrongSetup("/csv/entries", "missing", "must name a column, or exits must")
    if columns.date and not columns.time_format:
        raise WrongSetup(
            "/csv/time_format", "missing", "must say how date and time are written, as a date stands apart"
        )
    if columns.time_format and "%" not in columns.time_format:
        raise WrongSetup("/csv/time_format", "time-format", "must say by % what stands where, as in %d.%m.%Y %H:%M")
    try:
        datetime(2026, 3, 2, 9, 30, tzinfo=UTC).strftime(columns.time_format)
    except ValueError as error:
        raise WrongSetup("/csv/time_format", "time-format", "must be a format as strptime has it") from error
