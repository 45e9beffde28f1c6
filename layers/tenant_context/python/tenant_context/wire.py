"""The wire's common shapes: bases of request and answer models, money, moments, pages.

Pydantic at the edge only. Models are built when they are first used, which keeps them out of a cold start.
"""

import base64
import binascii
import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Protocol
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
)
from pydantic_core import PydanticCustomError

from tenant_context.currencies import CURRENCIES
from tenant_context.errors import FieldError, Invalid
from tenant_context.pages import fitting

_ATOM = r"[^@\s\x00-\x1f\x7f.,:;<>()\[\]\\\"]+"
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_LAST_LABEL = r"[a-zA-Z](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])"
_MAIL_ADDRESS = rf"^{_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+{_LAST_LABEL}$"
"""What people have, of what RFC 5321 and 6531 allow: letters of any alphabet in front, none quoted; a domain as DNS has
it (in Punycode), with a dot, and no number at its end."""
_LOCAL_LONGEST = 64
_MAIL_LONGEST = 254
_JOINERS = "\u200c\u200d"
"""Persian, Indic scripts and emoji are not written without them."""
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u2800\u3164\uffa0")
"""Letters and marks that show nothing."""
_LINES = str.maketrans("\n\r\t", "   ")
_HOST = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9-]{1,63}(?<!-))*")
_CENT = Decimal("0.01")
_MONEY = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,2})?")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)


def _is_money(said: str) -> str:
    if said not in CURRENCIES:
        raise PydanticCustomError("unknown_currency", "must be a country's currency by ISO 4217, such as EUR")
    return said


class In(BaseModel):
    """Base of what callers send: an unknown field is an error, not a surprise."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True, str_max_length=100_000)


class Out(BaseModel):
    """Base of what callers get; documents the JSON that routes answer with."""

    model_config = ConfigDict(defer_build=True)


def no_nul(value: Any) -> Any:
    """Refuse what PostgreSQL cannot keep in a text."""
    if isinstance(value, str) and "\x00" in value:
        raise ValueError("must not contain the NUL character")
    return value


def plain_text(value: Any) -> Any:
    """Refuse what PostgreSQL cannot keep, and what is not seen or turns round what is: no name passes for another.

    That is, inside of it: controls, and format characters but for the joiners that scripts and emoji are written with.
    """
    if not isinstance(value, str):
        return value
    text = str(no_nul(value)).strip()
    if any(_is_unseen(letter) for letter in text):
        raise ValueError("must not contain control, invisible or direction-changing characters")
    return text


def _is_unseen(letter: str) -> bool:
    """Cc, Cf, surrogates, line and paragraph separators, and letters of other categories that show nothing."""
    if letter in _JOINERS or letter.isprintable():
        return letter in _BLANK
    return unicodedata.category(letter) not in {"Zs", "Cn", "Co"}


def multiline_text(value: Any) -> Any:
    """The same of a text that may have lines and tabs."""
    if isinstance(value, str):
        plain_text(value.translate(_LINES))
    return value


def web_address(value: str) -> str:
    """An address of https that leads where it seems to: no user, a host of its own, nothing that browsers rewrite."""
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError as error:
        raise ValueError("must be an https address") from error
    named = parts.hostname or ""
    if "@" in parts.netloc or not (_HOST.fullmatch(named) or _is_ip(named)):
        raise ValueError("must be an https address with a host and no user")
    return value


def _is_ip(text: str) -> bool:
    from ipaddress import ip_address  # noqa: PLC0415  few addresses have no name, and a cold start would pay

    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def shows_something(value: str) -> str:
    """Refuse a name of joiners alone."""
    if not value.strip(_JOINERS + " "):
        raise ValueError("must contain something that can be seen")
    return value


def _money_is_text(value: Any) -> Any:
    if not isinstance(value, str) or _MONEY.fullmatch(value) is None:
        raise ValueError('must be a decimal string of 0 or more with at most two decimals, for example "12.50"')
    return value


def _is_rfc3339(value: Any) -> Any:
    if not isinstance(value, str) or _MOMENT.fullmatch(value) is None:
        raise ValueError('must be a moment with its zone as RFC 3339 writes it, for example "2026-03-02T09:00:00Z"')
    return value


def _to_the_cent(value: Decimal) -> Decimal:
    return value.quantize(_CENT)


def _to_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("must be between the years 1 and 9999 in UTC") from error


def one_form(value: Any) -> Any:
    """Mail addresses that look alike by Unicode's compatibility forms are one, and letters have no case."""
    if not isinstance(value, str):
        return value
    # Greek has two small sigmas for one capital.
    return unicodedata.normalize("NFKC", value).strip().lower().replace("\u03c2", "\u03c3")


def mail_address(value: Any) -> str | None:
    """A mail address in its one form, from somewhere that no model guards; None for what is none."""
    found = one_form(value)
    if not isinstance(found, str) or len(found.encode(errors="replace")) > _MAIL_LONGEST or not found.isprintable():
        return None
    local = found.partition("@")[0].encode(errors="replace")
    return found if len(local) <= _LOCAL_LONGEST and re.fullmatch(_MAIL_ADDRESS, found) else None


def _is_mail_address(value: str) -> str:
    if mail_address(value) is None:
        raise ValueError("must be a mail address, as name@example.com")
    return value


Address = Annotated[str, BeforeValidator(one_form), StringConstraints(max_length=254)]
Email = Annotated[
    str,
    BeforeValidator(one_form),
    StringConstraints(
        max_length=254,
        pattern=_MAIL_ADDRESS,
    ),
    AfterValidator(_is_mail_address),
]
# Constraints first: those that follow a validator would judge the text before it is stripped.
Name = Annotated[
    str,
    StringConstraints(min_length=1, max_length=255, strip_whitespace=True),
    BeforeValidator(plain_text),
    AfterValidator(shows_something),
]
"""What people read as somebody's or something's name."""
Text = Annotated[str, StringConstraints(max_length=2000), BeforeValidator(no_nul)]
WebAddress = Annotated[
    str, StringConstraints(max_length=2000, pattern=r"^https://[\x21-\x5b\x5d-\x7e]+$"), AfterValidator(web_address)
]
"""Where a page leads people: https, in ASCII (a host of another script in its xn-- form), no backslash."""
Money = Annotated[
    Decimal,
    BeforeValidator(_money_is_text, json_schema_input_type=str),
    Field(ge=0, max_digits=14, decimal_places=2, allow_inf_nan=False, examples=["1250.00"]),
    AfterValidator(_to_the_cent),
]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$"), AfterValidator(_is_money)]
"""A country's currency, by ISO 4217."""
Moment = Annotated[
    AwareDatetime, BeforeValidator(_is_rfc3339, json_schema_input_type=datetime), AfterValidator(_to_utc)
]
"""RFC 3339 with a zone; kept and answered in UTC."""


def _after_since(value: datetime, info: ValidationInfo) -> datetime:
    since = info.data.get("since")
    if since is not None and value <= since:
        raise PydanticCustomError("range-order", "must be after since")
    return value


Until = Annotated[Moment, AfterValidator(_after_since)]
"""Where a time that begins with a field `since` ends, itself excluded."""


class PageQuery(In):
    """Parameters of every list."""

    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str, StringConstraints(max_length=200)] | None = None

    def after(self) -> UUID | None:
        """The id the cursor stands for; raises `Invalid` for one this API did not give."""
        if self.cursor is None:
            return None
        try:
            return UUID(bytes=base64.urlsafe_b64decode(self.cursor + "=="))
        except (ValueError, binascii.Error) as error:
            raise Invalid(errors=(FieldError("?cursor", "cursor", "is not one this API gave"),)) from error


def cursor_of(last: UUID) -> str:
    """The opaque cursor that continues after an id."""
    return base64.urlsafe_b64encode(last.bytes).decode().rstrip("=")


def page(rows: Sequence[tuple[str, UUID]], limit: int) -> bytes:
    """The JSON of a page from rows of JSON and id; `rows` holds one more than `limit` where another page follows.

    The page ends early where an answer has no room for more.
    """
    shown = rows[: fitting(len(text.encode()) for text, _ in rows[:limit])]
    following = f'"{cursor_of(shown[-1][1])}"' if len(rows) > len(shown) else "null"
    items = ",".join(row[0] for row in shown)
    return f'{{"items":[{items}],"next_cursor":{following}}}'.encode()


class Identified(Protocol):
    """A domain object with an id, whose fields are the wire's."""

    @property
    def id(self) -> UUID:
        """By which lists are ordered."""


def page_of(found: Sequence[Identified], limit: int) -> bytes:
    """The JSON of a page; `found` holds one more than `limit` where another page follows."""
    shown = found[:limit]
    following = cursor_of(shown[-1].id) if len(found) > limit else None
    return msgspec.json.encode({"items": shown, "next_cursor": following})
