"""Whose push is it? Told by what stands in it; the address, where it names a vendor, has to agree."""

from collections.abc import Callable
from typing import Any

import msgspec

from shared.sites.model import Columns
from shared.vendors.errors import VENDORS, Misshapen, UnknownVendor, UnreadablePush, Unrecognised
from shared.vendors.model import Push
from shared.vendors.rules import axis, irisys, vivotek, xovis
from tenant_context.errors import FieldError, RmapError

_PARTS = 16
_FORMS: tuple[tuple[frozenset[str], Callable[[dict[str, Any]], Push]], ...] = (
    (frozenset({"logics_data"}), xovis.read_v5),
    (frozenset({"live_data"}), xovis.read_live),
    (frozenset({"status_data"}), xovis.read_status),
    (frozenset({"content", "sensor-info"}), xovis.read_v4),
    (frozenset({"apiName", "data"}), axis.read_retail),
    (frozenset({"CountLogs"}), irisys.read),
    (frozenset({"Source", "Data"}), vivotek.read),
    (frozenset({"serial", "timestamp", "in", "out"}), axis.read_live),
)
"""Members that only one format has together, and how that is read."""


def read(raw: bytes, vendor: str | None, columns: Columns | None = None) -> Push:
    """A push of any vendor. Raises `UnknownVendor`, `UnreadablePush`, `Unrecognised`, `Misshapen`, SensorNeeded."""
    if vendor is not None and vendor not in VENDORS:
        raise UnknownVendor
    push = _first_of(_parts(raw), columns)
    if push.vendor and vendor not in {None, push.vendor}:
        raise Unrecognised(
            f"The address is for {vendor}, but this was recognised as {push.form}.",
            errors=(FieldError("", "other-vendor", f"send it to the address of {push.vendor}"),),
        )
    push.vendor = push.vendor or vendor or ""
    return push


def _first_of(parts: list[bytes], columns: Columns | None) -> Push:
    """The first part that is a push; the others are ignored. Raises what is wrong with the first where none is."""
    wrong: RmapError | None = None
    for part in parts:
        try:
            push = _read(part, columns)
        except RmapError as error:
            wrong = wrong or error
        else:
            push.ignored += len(parts) - 1
            return push
    raise wrong or AssertionError("there is a part, or it is said that there is none")


def _read(raw: bytes, columns: Columns | None) -> Push:
    start = raw[:64].removeprefix(b"\xef\xbb\xbf").lstrip()
    if not start:
        raise UnreadablePush("The push is empty.")
    if start[:1] == b"<":
        from shared.vendors.rules import hikvision  # noqa: PLC0415  expat is for the one vendor that needs it

        return hikvision.read(raw.removeprefix(b"\xef\xbb\xbf").lstrip())
    if start[:1] in b"{[":
        return _json(raw.removeprefix(b"\xef\xbb\xbf"))
    if start[:1] in b'"' or _looks_like_a_table(raw):
        from shared.vendors.rules import tables  # noqa: PLC0415  csv costs a cold start of everybody else

        return tables.read(raw, columns)
    raise UnreadablePush("The push is neither JSON nor XML nor a CSV with a header.")


def _json(raw: bytes) -> Push:
    try:
        document = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadablePush(f"The push is not JSON: {error}.") from error
    if not isinstance(document, dict):
        raise _unknown("a list")
    for members, reader in _FORMS:
        if members <= document.keys():
            return reader(document)
    for members, reader in _FORMS:
        if common := members & document.keys():
            form = reader.__module__.rpartition(".")[2]
            lacking = sorted(members - common)
            if len(members) > 1:
                raise Misshapen(form, lacking[0], f"is missing beside {', '.join(sorted(common))}")
    shown = ", ".join(sorted(document)[:10])
    raise _unknown(f"an object with the members {shown[:300]}" if document else "an object without members")


def _unknown(what: str) -> Unrecognised:
    return Unrecognised(
        f"It is {what}, which is no format of {', '.join(VENDORS)}.",
        errors=(FieldError("", "unrecognised", "counts of your own making go to /api/v1/ingest/counts"),),
    )


def _looks_like_a_table(raw: bytes) -> bool:
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return True
    first = raw[:4096].splitlines()[0]
    return any(one in first for one in (b",", b";", b"\t", b"|"))


def _parts(raw: bytes) -> list[bytes]:
    """The parts of a multipart body that are no pictures; anything else as it is."""
    if not raw.startswith(b"--"):
        return [raw]
    boundary, found = raw[:200].splitlines()[0].rstrip(), []
    for part in raw.split(boundary, _PARTS)[1:]:
        head, _, body = part.partition(b"\r\n\r\n")
        if body.strip() and b"image/" not in head.lower():
            found.append(body.strip())
    if not found:
        raise UnreadablePush("No part of the multipart body holds counts.")
    return found
