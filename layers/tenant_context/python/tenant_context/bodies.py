"""From bytes to checked values: bodies, query strings, and the words for what is wrong with them."""

import base64
import json
import zlib
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from tenant_context.errors import BadRequest, FieldError, Invalid, TooLarge, UnsupportedMediaType

_MAX_FIELD_ERRORS = 100
_MAX_PARAMETERS = 100
_MAX_MEMBERS = 64
_MOST_PACKED, _SMALL = 200, 1_048_576
"""What unpacks to more than so many times its size is made to harm, once it is more than this many bytes."""
GZIP = "application/gzip"
"""As what packed bodies get through gateways unharmed."""
_BYTES = "application/octet-stream"
_STARTS = {b"{": "application/json", b"[": "application/json", b"<": "application/xml"}
_NUL = rb"\u0000"


def raw_body(event: Mapping[str, Any], headers: Mapping[str, str], limit: int) -> bytes:
    """The body's bytes as sent, unpacked from base64 and gzip, both bounded by `limit` bytes."""
    text = event.get("body") or ""
    if len(text) > limit * 4 // 3 + 4:
        raise TooLarge(f"The body may have {limit} bytes at most.")
    body = _unbase64(text) if event.get("isBase64Encoded") else _utf8(text)
    if len(body) > limit:
        raise TooLarge(f"The body may have {limit} bytes at most; it has {len(body)}.")
    encoding = headers.get("content-encoding", "").strip().lower()
    if not encoding and media_type(headers) == GZIP:
        encoding = "gzip"
    if encoding == "gzip":
        return _gunzip(body, limit)
    if encoding not in {"", "identity"}:
        raise UnsupportedMediaType("Content-Encoding may be gzip or left out.")
    return body


def media_type(headers: Mapping[str, str]) -> str:
    """The media type without its parameters, in lower case."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def kind_of(headers: Mapping[str, str], body: bytes) -> str:
    """The media type of an unpacked body: what the headers say, or what it is where they only say that it was packed.

    API Gateway takes JSON, CSV and XML for text, which nothing packed is: whoever packs has to name another type.
    """
    said = media_type(headers)
    if said != GZIP and not (said == _BYTES and headers.get("content-encoding", "").strip().lower() == "gzip"):
        return said
    return _STARTS.get(body.removeprefix(b"\xef\xbb\xbf").lstrip()[:1], "text/csv")


def _unbase64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise BadRequest("The body is not readable.") from error


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise BadRequest("The body is not readable.") from error


def _gunzip(body: bytes, limit: int) -> bytes:
    """Unpack every member: `cat a.gz b.gz` is gzip too (RFC 1952, section 2.2)."""
    unpacked = b""
    limit = min(limit, max(_SMALL, _MOST_PACKED * len(body)))
    for _ in range(_MAX_MEMBERS):
        unpacker = zlib.decompressobj(wbits=31)
        try:
            unpacked += unpacker.decompress(body, limit + 1 - len(unpacked))
        except zlib.error as error:
            raise BadRequest(
                "The body is not gzip although the headers say so. Send what is packed as Content-Type:"
                " application/gzip; JSON, CSV and XML are taken for text on the way."
            ) from error
        if len(unpacked) > limit:
            raise TooLarge(f"The unpacked body may have {limit} bytes at most.")
        if not unpacker.eof:
            raise BadRequest("The gzip body ends too early.")
        if not (body := unpacker.unused_data):
            return unpacked
    raise BadRequest(f"The gzip body may have {_MAX_MEMBERS} members at most.")


def parse_body(shape: Any, raw: bytes) -> Any:
    """The body as its declared shape: a pydantic model or a msgspec struct.

    Raises `BadRequest` for what is no JSON and `Invalid`, naming each field, for what is the wrong JSON.
    """
    if isinstance(shape, type) and issubclass(shape, msgspec.Struct):
        return _parse_struct(shape, raw)
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"The body is not JSON: {error}.") from error
    # JSON's own rules for types are what pydantic's JSON mode applies, so it is given the text.
    return _validate(shape, raw, value)


def _validate(shape: Any, raw: bytes, value: Any) -> Any:
    if not isinstance(value, dict):
        raise Invalid("The body must be a JSON object.", errors=(FieldError("", "type", "must be an object"),))
    if _NUL in raw and (found := tuple(islice(_nul_errors(value), _MAX_FIELD_ERRORS))):
        raise Invalid(errors=found)
    try:
        return shape.model_validate_json(raw)
    except ValueError as error:
        raise Invalid(errors=_pydantic_errors(error)) from error


def parse_query(shape: Any, text: str) -> Any:
    """The query string as its declared model; each name once."""
    if shape is None:
        return None
    try:
        given = parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_PARAMETERS)
    except ValueError as error:
        raise BadRequest(f"An address takes {_MAX_PARAMETERS} parameters at most.") from error
    values: dict[str, str] = {}
    for name, value in given:
        if name in values:
            raise BadRequest(f"The parameter {name[:50]} was given more than once.")
        values[name] = value
    if isinstance(shape, type) and issubclass(shape, msgspec.Struct):
        return _struct_of(shape, values)
    try:
        return shape.model_validate_strings(values)
    except ValueError as error:
        raise Invalid("Some parameters are wrong", errors=_pydantic_errors(error, prefix="?")) from error


def _nul_errors(document: Any) -> Iterator[FieldError]:
    """Where a text or a name holds NUL: JSON can say it, PostgreSQL cannot keep it."""
    waiting = [("", document)]  # no recursion: a body may be nested as deep as its parser bears
    while waiting:
        pointer, value = waiting.pop()
        if isinstance(value, str) and "\0" in value:
            yield FieldError(pointer, "nul", "must not contain the NUL character")
        elif isinstance(value, list):
            waiting += [(f"{pointer}/{number}", part) for number, part in enumerate(value)]
        elif isinstance(value, dict):
            for name, part in value.items():
                place = pointer + _pointer((name,), "/")
                if "\0" in name:
                    yield FieldError(place, "nul", "its name must not contain the NUL character")
                waiting.append((place, part))


def _pydantic_errors(error: ValueError, prefix: str = "/") -> tuple[FieldError, ...]:
    found = getattr(error, "errors", None)
    if found is None:
        return (FieldError("", "invalid", str(error)),)
    details = found(include_url=False, include_context=False, include_input=False)
    return tuple(
        FieldError(
            pointer=_pointer(detail["loc"], prefix),
            code=detail["type"],
            message=detail["msg"].removeprefix("Value error, "),
        )
        for detail in details[:_MAX_FIELD_ERRORS]
    )


def _pointer(location: tuple[int | str, ...], prefix: str) -> str:
    parts = (str(part).replace("~", "~0").replace("/", "~1") for part in location)
    return prefix + "/".join(parts) if location else ""


def _struct_of(shape: type[msgspec.Struct], values: Mapping[str, str]) -> Any:
    try:
        return msgspec.convert(values, shape, strict=False)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `")
        named = path.rstrip("`").removeprefix("$.")
        raise Invalid("Some parameters are wrong", errors=(FieldError(f"?{named}", "type", message),)) from error


def _parse_struct(shape: type[msgspec.Struct], raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw, type=shape)
    except msgspec.ValidationError as error:
        from tenant_context.struct_errors import field_error  # noqa: PLC0415  for bodies that are wrong alone

        raise Invalid(errors=(field_error(shape, error),)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"The body is not JSON: {error}.") from error


def problem(
    status: int,
    code: str,
    title: str,
    detail: str,
    instance: str,
    errors: tuple[FieldError, ...] = (),
    members: Mapping[str, Any] | None = None,
) -> bytes:
    """An RFC 9457 problem document; `members` are its own beside the usual."""
    document: dict[str, Any] = {
        **(members or {}),
        "type": f"urn:rmap:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": instance,
        "code": code,
    }
    if errors:
        document["errors"] = [
            {"pointer": error.pointer, "code": error.code, "message": error.message} for error in errors
        ]
    return json.dumps(document, ensure_ascii=False).encode()
