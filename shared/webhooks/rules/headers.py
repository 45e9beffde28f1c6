"""Headers that an endpoint asks for beside our own.

`Authorization` is allowed, as gateways before a receiver ask for it. What the call itself, its signature or those on
its way need is ours: a header that says otherwise could make a receiver read another request than the signed one.
"""

import string
from collections.abc import Mapping

from tenant_context.errors import FieldError

MOST = 20
LONGEST_NAME = 64
LONGEST_VALUE = 1000
LONGEST = 4096
"""Names and values together."""
_NAME = frozenset(string.ascii_letters + string.digits + "-_")
_OURS = ("webhook-", "content-", "x-rmap-", "proxy-", "sec-", "x-forwarded-", "access-control-")
_RESERVED_NAMES = """
    accept accept-encoding connection cookie date expect forwarded host if-match if-none-match keep-alive origin range
    referer te trailer transfer-encoding upgrade user-agent via x-real-ip"""
_RESERVED = frozenset(_RESERVED_NAMES.split())


def is_reserved(name: str) -> bool:
    """Whether a header is ours alone."""
    lower = name.lower()
    return lower in _RESERVED or lower.startswith(_OURS)


def check(headers: Mapping[str, str | None]) -> list[FieldError]:
    """What is wrong with headers; None for a value is looked at elsewhere."""
    found = []
    if len(headers) > MOST or sum(len(name) + len(value or "") for name, value in headers.items()) > LONGEST:
        found.append(FieldError("/headers", "too-long", f"must be at most {MOST}, of {LONGEST} characters together"))
    if len({name.lower() for name in headers}) < len(headers):
        found.append(FieldError("/headers", "header-twice", "must name each header once, whatever its case"))
    for name, value in headers.items():
        pointer = "/headers/" + name[:LONGEST_NAME].replace("~", "~0").replace("/", "~1")
        if message := _wrong(name, value):
            found.append(FieldError(pointer, "header", message))
        elif is_reserved(name):
            found.append(FieldError(pointer, "reserved-header", "is set by the platform alone"))
    return found


def _wrong(name: str, value: str | None) -> str:
    if not 1 <= len(name) <= LONGEST_NAME or not _NAME.issuperset(name):
        return f"must have a name of 1 to {LONGEST_NAME} letters, digits, - and _"
    if value is None:
        return ""
    if not 1 <= len(value) <= LONGEST_VALUE or not (value.isascii() and value.isprintable()) or value != value.strip():
        return f"must have a value of 1 to {LONGEST_VALUE} printable ASCII characters, none of them a space at an end"
    return ""
