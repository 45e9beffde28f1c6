"""What settings, colours and domains are good, and which host is whose."""

import re
from typing import Final

from shared.names.rules import is_at_or_below
from shared.places.errors import BadSetting, DomainRefused
from shared.places.model import OwnSettings
from shared.sites.rules import check_time_zone
from tenant_context.currencies import CURRENCIES

NOWHERE: Final = frozenset({"alt", "arpa", "internal", "invalid", "local", "localhost", "onion", "test"})
"""Top-level names that lead nowhere on the internet (RFC 6761 and its kin)."""
BLACK, WHITE = "#000000", "#ffffff"
_LANGUAGE_TAG = re.compile(
    r"([a-z]{2,3})(?:-([a-z]{4}))?(?:-([a-z]{2}|[0-9]{3}))?((?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*)"
)


def check(settings: OwnSettings) -> None:
    """Raise what says which value the world does not know. Errors: BadSetting, UnknownTimeZone."""
    check_time_zone(settings.time_zone)
    if settings.currency not in CURRENCIES:
        raise BadSetting("/currency", "unknown-currency", "must be a country's currency by ISO 4217, for example EUR")


def locale(text: str) -> str:
    """A language tag as BCP 47 recommends to write it: `pt-BR`, `zh-Hant-TW`, `ca-valencia`.

    Language, script, region and variants, by the form of RFC 5646, section 2.1. Errors: BadSetting.
    """
    match = _LANGUAGE_TAG.fullmatch(text.lower())
    if match is None:
        raise BadSetting("/locale", "not-a-language-tag", "must be a language tag (BCP 47), for example pt-BR")
    language, script, region, variants = match.groups()
    parts = [language, script.title() if script else "", region.upper() if region else ""]
    return "-".join(part for part in parts if part) + variants


def text_on(color: str) -> tuple[str, float]:
    """Black or white, whichever is read better on a colour `#rrggbb`, and its contrast (WCAG 2.2, 1.4.3).

    The worse of the two is at its best 4.58 (the square root of 21), so that every colour carries readable text:
    none has to be refused.
    """
    light = _luminance(color)
    on_black, on_white = (light + 0.05) / 0.05, 1.05 / (light + 0.05)
    return (WHITE, round(on_white, 2)) if on_white > on_black else (BLACK, round(on_black, 2))


def _luminance(color: str) -> float:
    """WCAG's relative luminance."""
    channels = (int(color[start : start + 2], 16) / 255 for start in (1, 3, 5))
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels]  # noqa: PLR2004  WCAG's
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def check_domain(domain: str, own: tuple[str, ...], longest: int) -> None:
    """Raise `DomainRefused` for the platform's own names, and for those that nobody can reach or prove."""
    if len(domain) > longest:
        raise DomainRefused(f"may have at most {longest} characters")
    if domain.rpartition(".")[2] in NOWHERE:
        raise DomainRefused("leads nowhere on the internet")
    if any(is_at_or_below(domain, one) for one in own):
        raise DomainRefused("is the platform's own")


def subdomain(slug: str, base: str) -> str | None:
    """The host of a slug; None where the platform gives none."""
    return f"{slug}.{base}" if base else None


def slug_at(host: str, base: str) -> str | None:
    """The slug whose subdomain a host is; None for any other host."""
    slug = host.removesuffix(f".{base}") if base else host
    return slug if slug != host and "." not in slug else None
