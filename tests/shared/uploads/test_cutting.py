"""A file is cut into the same pieces however its bytes arrive, and from every mark on."""

import gzip
import json
import zlib
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.uploads.errors import Unreadable
from shared.uploads.model import Mark, Piece, Wanted
from shared.uploads.rules import cutting, unpacking
from shared.uploads.rules.cutting import batch_of, batches_of, pieces
from shared.uploads.rules.unpacking import is_packed, unpacked
from tenant_context.clock import uuid7

HEAD = "sensor,start,end,entries,exits\n"


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutting, "MOST_ROWS", 3)


def wanted(form: str, kind: str = "counts") -> Wanted:
    return Wanted(kind, form, 1)


def blocks(raw: bytes, size: int) -> Iterator[bytes]:
    return (raw[place : place + size] for place in range(0, len(raw), size))


def cut(form: str, raw: bytes, size: int = 7, kind: str = "counts", mark: Mark | None = None) -> list[Piece]:
    mark = mark or Mark()
    return list(pieces(wanted(form, kind), mark, blocks(raw[mark.offset :], size)))


def rows(found: list[Piece]) -> list[bytes]:
    return [row for piece in found for row in (piece.texts or piece.table.splitlines()[1:])]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("size", [1, 2, 5, 1000])
def test_lines_of_a_csv_come_whole_with_its_header(end: str, size: int) -> None:
    text = end.join([HEAD.strip(), *(f"door,{n},b,c,d" for n in range(7)), "", "last,1,2,3,4"])
    found = cut("csv", text.encode(), size)
    assert [piece.rows for piece in found] == [3, 3, 2]
    assert all(piece.table.startswith(HEAD.strip().encode()) for piece in found)
    assert [piece.is_first for piece in found] == [True, False, False]
    assert rows(found)[-1] == b"last,1,2,3,4"


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_a_quoted_cell_goes_over_lines_and_pieces_do_not(size: int) -> None:
    cell = '"a\r\nb, ""c""\n\n"'
    raw = (HEAD + f"{cell},1,2,3,4\n" * 5).encode()
    found = cut("csv", raw, size)
    assert [piece.rows for piece in found] == [3, 2]
    assert b"".join(piece.table.removeprefix(HEAD.encode()) for piece in found) == raw.removeprefix(HEAD.encode())


def test_lines_of_one_receipt_stay_together() -> None:
    lines = "".join(f"r{receipt},main,t,EUR,{line},1,1\n" for receipt in range(3) for line in range(4))
    found = cut("csv", ("id,site,time,currency,sku,quantity,unit_price\n" + lines).encode(), kind="transactions")
    assert [piece.rows for piece in found] == [4, 4, 4]
    with pytest.raises(Unreadable, match="receipt's lines"):
        cut("csv", b"id,site\n" + b"r1,main\n" * 60_000, 10**6, kind="transactions")


TEXTS = ['{"a":"],[\\"{"}', "{}", "5", '[[],{"b":[1,2]}]', '"x,y"', "null", '{"sensor":"é"}', '{"bad" 1}']


@pytest.mark.parametrize("size", [1, 2, 9, 1000])
@pytest.mark.parametrize(
    ("start", "end"), [("[", "]"), ('{"counts":[', "]}"), (' { "counts" : [ ', " ] } \n"), ("\ufeff[\n", "\n]")]
)
def test_elements_of_a_list_come_whole(size: int, start: str, end: str) -> None:
    found = cut("json", (start + " ,\n".join(TEXTS) + end).encode(), size)
    assert [piece.rows for piece in found] == [3, 3, 2]
    assert [row.decode() for row in rows(found)] == TEXTS


@pytest.mark.parametrize("size", [1, 1000])
def test_lines_of_ndjson_are_rows_and_blank_ones_are_none(size: int) -> None:
    found = cut("ndjson", ("\ufeff" + "\n\n".join(TEXTS) + "\r\n").encode(), size)
    assert [row.decode() for row in rows(found)] == TEXTS


@pytest.mark.parametrize("size", [1, 1000])
@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "not JSON"), (b"   ", "not JSON"), (b"sensor,start\n", "not JSON"), (b"5", "not JSON"),
        (b'{"other":[]}', "not JSON"), (b"[{},", "ends too early"), (b'[{"a":"', "ends too early"),
        (b"[{}] and more", "goes on"), (b"[{}}]", "without its"), (b'{"counts":[]', None), (b"[]", None),
        (b"\x1f\x8b", "not JSON"), (b"[[" * 10, "ends too early"),
    ],
)  # fmt: skip
def test_what_is_no_list_is_said(raw: bytes, said: str | None, size: int) -> None:
    if said is None:
        assert cut("json", raw, size) == []
        return
    with pytest.raises(Unreadable, match=said):
        cut("json", raw, size)


@pytest.mark.parametrize("raw", [b"[" + b"[" * 10**6, b'["' + b"a" * 10**6, b"[" + b" " * 10**6, b" " * 10**6])
def test_a_row_without_an_end_is_not_waited_for(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        cut("json", raw, 65_536)


@pytest.mark.parametrize(
    "raw", [b"a" * 10**6, b"a,b\n" + b"," * 10**6, b'a,b\n"' + b"x" * 10**6, b'a,b\n"' + b"x\n" * 10**6]
)
def test_a_line_without_an_end_is_not_waited_for(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        cut("csv", raw, 65_536)


FORMS = st.sampled_from(["csv", "json", "ndjson"])


@settings(max_examples=60, deadline=None)
@given(FORMS, st.lists(st.text(min_size=0, max_size=12), max_size=12), st.integers(1, 40), st.integers(1, 40))
def test_who_goes_on_at_a_mark_finds_what_followed(form: str, words: list[str], size: int, other: int) -> None:
    texts = [json.dumps({"sensor": word}, ensure_ascii=False) for word in words]
    if form == "csv":
        quoted = ['"' + word.replace('"', '""').replace("\0", "") + '",2' for word in words]
        raw = "\n".join(["sensor,b", *quoted, ""]).encode()
    else:
        raw = ("[" + ",".join(texts) + "]" if form == "json" else "\n".join(texts)).encode()
    mark = Mark()
    whole = list(pieces(wanted(form), mark, blocks(raw, size)))
    assert sum(piece.rows for piece in whole) == len(words)
    for number, piece in enumerate(whole):
        later = cut(form, raw, other, mark=Mark(piece.offset, number + 1, 0, mark.head))
        assert [(one.table, list(one.texts), one.offset) for one in later] == [
            (one.table, list(one.texts), one.offset) for one in whole[number + 1 :]
        ]


@settings(max_examples=100, deadline=None)
@given(FORMS, st.sampled_from(["counts", "transactions"]), st.binary(max_size=80), st.integers(1, 20))
def test_bytes_of_any_kind_are_pieces_or_told_off(form: str, kind: str, raw: bytes, size: int) -> None:
    with suppress(Unreadable):
        assert sum(piece.rows for piece in cut(form, raw, size, kind)) <= len(raw)


def packed(raw: bytes, size: int = 1000, skip: int = 0) -> bytes:
    return b"".join(unpacked(blocks(raw, size), skip))


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("skip", [0, 1, 5, 6, 11])
def test_members_of_gzip_are_one_file_from_any_byte_on(size: int, skip: int) -> None:
    raw = gzip.compress(b"hello ") + gzip.compress(b"") + gzip.compress(b"world") + b"\0" * 20
    assert packed(raw, size, skip) == b"hello world"[skip:]


def test_what_is_cut_off_damaged_or_made_to_harm_is_said() -> None:
    raw = gzip.compress(json.dumps(list(range(9999))).encode())
    for wrong, said in (
        (raw[:-9], "cut off"), (raw[:50] + b"\0\0\0\0" + raw[54:], "damaged"), (raw + b"more", "damaged"),
        (b"", "cut off"),
        (gzip.compress(b" " * 10**8), "200 times"), (gzip.compress(b"") * 2_000, "hold nothing"),
    ):  # fmt: skip
        with pytest.raises(Unreadable, match=said):
            packed(wrong, 4096)


def test_a_file_has_a_largest_size_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "MOST_UNPACKED", 10**6)
    with pytest.raises(Unreadable, match="1000000 bytes unpacked"):
        packed(gzip.compress(bytes(range(256)) * 8_000))


def test_a_zip_archive_is_said_to_be_one() -> None:
    assert is_packed(gzip.compress(b""))
    assert not is_packed(b"sensor")
    assert not is_packed(zlib.compress(b"x"))
    with pytest.raises(Unreadable, match="zip archive"):
        is_packed(b"PK\x03\x04")


def test_batches_of_a_file_are_in_its_order_and_in_no_others() -> None:
    upload, other = uuid7(), uuid7()
    ids = [batch_of(upload, number) for number in (0, 1, 255, 2**24 - 1)]  # type: ignore[arg-type]
    assert ids == sorted(ids)
    assert (ids[0], ids[-1]) == batches_of(upload)  # type: ignore[arg-type]
    assert not set(ids) & set(batches_of(other))  # type: ignore[arg-type]
