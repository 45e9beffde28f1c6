"""Which slugs organizations may choose, and the one form of a host's name."""

import re
from typing import Final

from shared.names.errors import NotAHost

_KEPT = (
    # What the platform has, or may have one day, at a subdomain of its own.
    "accounts admin api app apps assets auth billing blog cdn console dashboard demo dev developer docs edge events "
    "exports files graphql health help id identity ingest internal jobs local localhost login logout media metrics "
    "oauth operator portal preview prod production public ready rmap root sandbox secure security sensors signup sso "
    "stage staging static status store stripe support system tenants test testing webhooks webmail www "
    # What mail, DNS and programs look for by themselves (RFC 2142 and custom).
    "abuse autoconfig autodiscover dns ftp hostmaster imap info mail mta-sts mx noreply no-reply ns ns1 ns2 pop "
    "postmaster smtp ssl-admin sysadmin administrator usenet webmaster wpad"
)
RESERVED_SLUGS: Final = frozenset(_KEPT.split())
"""Slugs that no organization has: at `<slug>.<base domain>` people would take it for the platform."""

MAX_HOST: Final = 253
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}\.)+[a-z](?:[a-z0-9-]{{0,61}}[a-z0-9])")


def host(text: str) -> str:
    """A host's name in its one form: lower case, without the final dot, other scripts as A-labels (IDNA 2008).

    Mapped as browsers do (UTS 46), so that what people type is what they mean. Errors: NotAHost.
    """
    plain = text.removesuffix(".").lower()
    if len(plain) > MAX_HOST:
        raise NotAHost(f"may have at most {MAX_HOST} characters")
    if not plain.isascii() or "--" in plain:
        plain = _a_labels(plain)
    if len(plain) > MAX_HOST or _HOST.fullmatch(plain) is None:
        raise NotAHost("must be the full name of a host, for example media.example.com")
    return plain


def _a_labels(text: str) -> str:
    import idna  # noqa: PLC0415  few names need its tables, and every cold start would load them

    try:
        return idna.encode(text, uts46=True, std3_rules=True).decode()
    except (idna.IDNAError, UnicodeError) as error:
        raise NotAHost("holds a label that is no internationalized domain name") from error


def shown(name: str) -> str:
    """A host's name as people read it: A-labels in the letters that they stand for."""
    if "xn--" not in name:
        return name
    import idna  # noqa: PLC0415  as above

    return str(idna.decode(name))


def is_at_or_below(name: str, domain: str) -> bool:
    """Whether a host is a domain's own or one below it."""
    return name == domain or name.endswith(f".{domain}")
