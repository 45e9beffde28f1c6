"""What makes a site."""

import re
import unicodedata
from functools import lru_cache
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from shared.sites.errors import UnknownTimeZone

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
