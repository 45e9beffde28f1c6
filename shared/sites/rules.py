"""What makes a site."""

import re
import unicodedata
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from shared.sites.errors import UnknownTimeZone, WrongDevice, WrongParent, WrongSetup, WrongSite
from shared.sites.model import SMALLEST_COUNTER, Columns, Kind, Setup, SiteDraft, reads_as_id

LARGEST_MULTIPLIER = 100

_NO_PLACE = re.compile(r"localtime|posixrules|Factory|(posix|right)/.*")
"""Files beside the zones' own, which Python reads and PostgreSQL does not know."""

_NO_ID = "must not read as an id (a UUID), by which pushes may name another one"
_COUNTRIES = """
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ
    CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO
    FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE
    JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO
    MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW
    PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM
    TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW"""
COUNTRIES = frozenset(_COUNTRIES.split())
"""ISO 3166-1, the codes of two letters."""
HOLDERS: dict[Kind, tuple[Kind, ...]] = {
    Kind.REGION: (),
    Kind.DISTRICT: (Kind.REGION,),
    Kind.SITE: (Kind.DISTRICT, Kind.REGION),
    Kind.ZONE: (Kind.SITE,),
}
"""What each kind can be in: something larger, so that nothing is ever within itself."""
_DEEPEST, _LONGEST_KEY, _LARGEST = 6, 64, 16_384
_LARGEST_NUMBER = 2**63


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


def check_code(code: str) -> None:
    """Raise `WrongSite` for a code that could be another site's id."""
    if reads_as_id(code):
        raise WrongSite("/code", "reads-as-id", _NO_ID)


def check_serial(serial: str) -> None:
    """Raise `WrongDevice` for a serial that could be another sensor's id."""
    if reads_as_id(serial):
        raise WrongDevice("/serial", "reads-as-id", _NO_ID)


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
        written = datetime(2026, 3, 2, 9, 30, tzinfo=UTC).strftime(columns.time_format)
        datetime.strptime(written, columns.time_format)  # noqa: DTZ007  whether it can be read back at all
    except (ValueError, re.error) as error:
        raise WrongSetup("/csv/time_format", "time-format", "must be a format as strptime has it") from error


def check_site(draft: SiteDraft) -> None:
    """Raise `UnknownTimeZone` or `WrongSite` for what cannot be, whatever else there is."""
    check_time_zone(draft.time_zone)
    if draft.country and draft.country not in COUNTRIES:
        raise WrongSite("/country", "country", "must be a code of ISO 3166-1 with two letters, such as DE")
    if (draft.latitude is None) != (draft.longitude is None):
        missing = "latitude" if draft.latitude is None else "longitude"
        raise WrongSite(f"/{missing}", "missing", "must be there too: a place has both coordinates")
    if draft.sales_area_m2 is not None and (draft.area_m2 is None or draft.sales_area_m2 > draft.area_m2):
        raise WrongSite("/sales_area_m2", "area", "must be within area_m2")
    check_metadata(draft.metadata)


def check_parent(kind: Kind, holder: Kind | None) -> None:
    """Raise `WrongParent` unless one kind can be in the other, or in nothing (None)."""
    if holder is None:
        if kind is Kind.ZONE:
            raise WrongParent("must name the store that the zone is in", "missing")
        return
    if holder not in HOLDERS[kind]:
        wanted = " or ".join(f"a {one}" for one in HOLDERS[kind])
        raise WrongParent(f"is a {holder}; a {kind} is in {wanted or 'nothing'}")


def check_metadata(document: dict[str, Any], pointer: str = "/metadata") -> None:
    """Raise `WrongSite` for a document that is too deep or too large, or that JSON cannot hold."""
    waiting: list[tuple[str, Any, int]] = [(pointer, document, 1)]
    while waiting:
        place, value, depth = waiting.pop()
        if isinstance(value, dict | list):
            if depth > _DEEPEST:
                raise WrongSite(place, "too-deep", f"is nested more than {_DEEPEST} deep")
            parts = value.items() if isinstance(value, dict) else enumerate(value)
            for name, part in parts:
                if isinstance(name, str) and not 0 < len(name) <= _LONGEST_KEY:
                    raise WrongSite(place, "name", f"has a name that is empty or longer than {_LONGEST_KEY} characters")
                waiting.append((f"{place}/{name}", part, depth + 1))
        elif isinstance(value, float | int) and not abs(value) <= _LARGEST_NUMBER:  # nor NaN, which is beside any
            raise WrongSite(place, "number", "must be a number of sensible size")
    if len(msgspec.json.encode(document)) > _LARGEST:
        raise WrongSite(pointer, "too-large", f"is longer than {_LARGEST} bytes as JSON")
