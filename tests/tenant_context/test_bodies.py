"""From bytes to checked values: whatever is sent, the answer is a word of the error tree."""

import base64
import gzip
import json
import zlib
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from tenant_context.bodies import parse_body, parse_query, problem, raw_body
from tenant_context.errors import BadRequest, Invalid, RmapError, TooLarge, UnsupportedMediaType
from tenant_context.wire import In, Money, Name

LIMIT = 1000


class Line(In):
    sku: Name
    price: Money = "0.00"  # type: ignore[assignment]


class Order(In):
    """A body with a bit of everything."""

    name: Name
    count: Annotated[int, Field(ge=0, le=9)] = 0
    lines: list[Line] = []
    notes: dict[str, Any] = {}


class Filter(In):
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    word: str = ""


class Row(msgspec.Struct, forbid_unknown_fields=True):
    entries: int
    inner: list[int] = []


def read(body: str | bytes, *, limit: int = LIMIT, encoding: str = "identity") -> bytes:
    event: dict[str, Any] = {"body": body}
    if isinstance(body, bytes):
        event = {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    return raw_body(event, {"content-encoding": encoding}, limit)


def pointers(error: Invalid) -> list[str]:
    return [field.pointer for field in error.errors]


def test_a_text_comes_as_its_bytes() -> None:
    assert read("größe") == "größe".encode()


def test_no_body_is_an_empty_one() -> None:
    assert raw_body({}, {}, LIMIT) == b""
    assert raw_body({"body": None}, {}, LIMIT) == b""


@given(st.binary(max_size=LIMIT))
def test_base64_and_gzip_come_as_what_they_were(body: bytes) -> None:
    assert read(body) == body
    assert read(gzip.compress(body), encoding="gzip", limit=LIMIT + 100) == body
    assert read(gzip.compress(body), encoding=" GZip ", limit=LIMIT + 100) == body


def test_the_limit_is_the_last_good_length() -> None:
    assert len(read("x" * LIMIT)) == LIMIT
    assert len(read(b"x" * LIMIT)) == LIMIT
    for body in ("x" * (LIMIT + 1), b"x" * (LIMIT + 1), "x" * 10 * LIMIT, "ä" * (LIMIT // 2 + 1)):
        with pytest.raises(TooLarge):
            read(body)


def test_the_limit_holds_for_what_is_unpacked() -> None:
    assert len(read(gzip.compress(b"x" * LIMIT), encoding="gzip")) == LIMIT
    for size in (LIMIT + 1, 50 * LIMIT, 500_000):
        with pytest.raises(TooLarge):
            read(gzip.compress(b"x" * size), encoding="gzip")


def test_members_of_gzip_are_one_body() -> None:
    assert read(gzip.compress(b"one,") + gzip.compress(b"two"), encoding="gzip") == b"one,two"


def test_the_limit_holds_over_all_members() -> None:
    with pytest.raises(TooLarge):
        read(gzip.compress(b"x" * 600) * 2, encoding="gzip")


def test_a_body_of_a_thousand_empty_members_is_refused_at_once() -> None:
    with pytest.raises(BadRequest):
        read(gzip.compress(b"") * 1000, encoding="gzip", limit=100_000)


PACKED = gzip.compress(b"x" * 500, mtime=0)  # the same in each worker: it names its test
DEFLATED = zlib.compress(b"x")


@pytest.mark.parametrize(
    "body", [PACKED[:-1], PACKED[:10], PACKED[:1], b"", b"plain", PACKED + b"more", DEFLATED, PACKED[:-8] + b"\0" * 8]
)
def test_broken_gzip_is_400(body: bytes) -> None:
    with pytest.raises(BadRequest):
        read(body, encoding="gzip")


@pytest.mark.parametrize("text", ["a", "====", "ä" * 8, "YQ==YQ==", "Y Q=", "\ud800\ud800\ud800\ud800"])
def test_wrong_base64_is_400(text: str) -> None:
    with pytest.raises(BadRequest):
        raw_body({"body": text, "isBase64Encoded": True}, {}, LIMIT)


def test_half_a_character_is_400() -> None:
    with pytest.raises(BadRequest):
        read("\ud800")


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "zstd"])
def test_another_encoding_is_415(encoding: str) -> None:
    with pytest.raises(UnsupportedMediaType):
        read("x", encoding=encoding)


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"{]", b"{'a': 1}", b"\xff", b'{"a": NaN}', b"\xef\xbb\xbf{}", b'{"name": "\xff"}', b"[" * 100_000,
     b'{"a":' * 100_000, b'{"name": "\\ud800"}', b'{"name": "a\x00b"}', b"{}{}", b'{"name": "x"} more'],
)  # fmt: skip
def test_what_is_no_json_is_400(raw: bytes) -> None:
    with pytest.raises(BadRequest):
        parse_body(Order, raw)
    # A struct is checked while it is read, so a field that is wrong may come before the end that is missing.
    with pytest.raises((BadRequest, Invalid)):
        parse_body(Row, raw)


@pytest.mark.parametrize("raw", [b"[]", b"null", b"7", b'"text"', b"true"])
@pytest.mark.parametrize("shape", [Order, Row])
def test_json_that_is_no_object_is_422(shape: Any, raw: bytes) -> None:
    with pytest.raises(Invalid):
        parse_body(shape, raw)


def test_every_bad_field_is_named_by_its_pointer() -> None:
    body = {"name": "", "count": [3], "lines": [{"sku": "a", "price": 1.5}, {"price": "1.00"}], "other/one": 1}
    with pytest.raises(Invalid) as caught:
        parse_body(Order, json.dumps(body).encode())
    assert sorted(pointers(caught.value)) == ["/count", "/lines/0/price", "/lines/1/sku", "/name", "/other~1one"]
    assert all(field.code and field.message for field in caught.value.errors)


def test_no_more_than_a_hundred_fields_are_named() -> None:
    with pytest.raises(Invalid) as caught:
        parse_body(Order, json.dumps({"name": "x", "lines": [{}] * 5000}).encode())
    assert len(caught.value.errors) == 100


def test_a_struct_names_its_field_too() -> None:
    with pytest.raises(Invalid) as caught:
        parse_body(Row, b'{"entries": 1, "inner": [1, "2"]}')
    assert pointers(caught.value) == ["/inner/1"]


@pytest.mark.parametrize("number", ["1e400", "9" * 5000, "-" + "9" * 40, "1.5", "99999999999999999999"])
def test_a_number_out_of_range_is_refused(number: str) -> None:
    with pytest.raises((BadRequest, Invalid)):
        parse_body(Order, f'{{"name": "x", "count": {number}}}'.encode())


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b'{"name": "a\\u0000b"}', "/name"),
        (b'{"name": "x", "notes": {"a": "\\u0000"}}', "/notes/a"),
        (b'{"name": "x", "notes": {"a": [{"b": ["\\u0000"]}]}}', "/notes/a/0/b/0"),
        (b'{"name": "x", "notes": {"\\u0000": 1}}', "/notes/\0"),
    ],
)
def test_nul_is_422_wherever_it_hides(body: bytes, pointer: str) -> None:
    """PostgreSQL keeps no NUL, in text as in JSON: unnoticed here it would be a 500."""
    with pytest.raises(Invalid) as caught:
        parse_body(Order, body)
    assert pointers(caught.value) == [pointer]


def test_a_backslash_before_u0000_is_no_nul() -> None:
    assert parse_body(Order, b'{"name": "\\\\u0000"}').name == "\\u0000"


def test_nul_at_the_bottom_of_a_deep_body_is_found() -> None:
    for depth in (50, 500, 900, 5000):
        body = b'{"name": "x", "notes": {"a": ' + b"[" * depth + b'"\\u0000"' + b"]" * depth + b"}}"
        with pytest.raises((BadRequest, Invalid)):
            parse_body(Order, body)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused_in_words(raw: bytes) -> None:
    for shape in (Order, Row):
        try:
            parse_body(shape, raw)
        except RmapError as error:
            assert error.status in {400, 422}  # noqa: PT017  either is an answer


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.fixed_dictionaries({}, optional={"name": json_values, "count": json_values, "notes": json_values}))
def test_any_json_is_read_or_refused_in_words(value: dict[str, Any]) -> None:
    try:
        parse_body(Order, json.dumps(value).encode())
    except RmapError as error:
        assert error.status in {400, 422}  # noqa: PT017  either is an answer


@pytest.mark.parametrize(
    ("query", "pointer"), [("limit=0", "?limit"), ("limit=x", "?limit"), ("other=1", "?other"), ("limit=", "?limit")]
)
def test_a_wrong_parameter_is_422_and_named(query: str, pointer: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_query(Filter, query)
    assert pointers(caught.value) == [pointer]


@pytest.mark.parametrize("query", ["limit=1&limit=1", "&".join(f"p{number}=1" for number in range(101))])
def test_a_parameter_twice_or_a_hundred_and_one_of_them_is_400(query: str) -> None:
    with pytest.raises(BadRequest):
        parse_query(Filter, query)


@given(st.text(max_size=60))
def test_any_query_is_read_or_refused_in_words(query: str) -> None:
    try:
        parse_query(Filter, query)
    except RmapError as error:
        assert error.status in {400, 422}  # noqa: PT017  either is an answer


def test_an_address_without_parameters_minds_none() -> None:
    assert parse_query(None, "any=thing&any=thing") is None


def test_a_problem_is_an_rfc_9457_document() -> None:
    error = Invalid("Two are wrong.", errors=(*Invalid().errors,))
    document = json.loads(problem(error.status, error.code, error.title, error.detail, "request-1"))
    assert document == {
        "type": "urn:rmap:problem:invalid",
        "title": "Some fields are wrong",
        "status": 422,
        "detail": "Two are wrong.",
        "instance": "request-1",
        "code": "invalid",
    }
