"""CSV as devices, spreadsheets and people make it."""

import pytest

from shared.sites.model import Columns, Profile, Setup
from shared.vendors.errors import Misshapen, UnreadablePush
from shared.vendors.model import Push
from shared.vendors.rules import recognise
from shared.vendors.rules.settle import settle

PLAIN = "start,end,in,out\n2026-03-02 10:00:00,2026-03-02 10:15:00,4,2\n"


def read(text: str | bytes, columns: Columns | None = None) -> Push:
    return recognise.read(text.encode() if isinstance(text, str) else text, None, columns)


def counts(push: Push) -> list[tuple[str, str, int, int]]:
    intervals, _ = settle(push, "door", Profile("Europe/Berlin", 15, Setup()))
    return [(row.line, f"{row.start:%d %H:%M}", row.entries, row.exits) for _, row in intervals.taken]


GOOD = [("", "02 09:00", 4, 2)]


@pytest.mark.parametrize(
    "raw",
    [
        PLAIN.encode(),
        b"\xef\xbb\xbf" + PLAIN.encode(),
        PLAIN.encode("utf-16"),
        PLAIN.replace("\n", "\r\n").encode(),
        PLAIN.replace("\n", "\r").encode(),
        PLAIN.replace(",", ";").encode(),
        PLAIN.replace(",", "\t").encode(),
        PLAIN.replace(",4,2", ';"4,0";"2,00"').replace(",", ";", 4).replace(" 10:00:00,", " 10:00:00;").encode(),
        PLAIN.replace("4,2", '"4"," 2 "').encode(),
        b'"Start","End","IN","Out"\n' + PLAIN.encode().split(b"\n", 1)[1],
        PLAIN.encode() + b"\n\n",
    ],
    ids=["plain", "bom", "utf-16", "crlf", "cr", "semicolons", "tabs", "decimal-comma", "quotes", "case", "blank"],
)
def test_a_table_is_read_however_it_is_written(raw: bytes) -> None:
    assert counts(read(raw)) == GOOD


def test_a_mapping_reads_columns_of_any_name() -> None:
    columns = Columns(
        start="Zeit von", end="Zeit bis", date="Tag", entries="Zugang", exits="Abgang", line="Tür", delimiter=";",
        time_format="%d.%m.%Y %H:%M",
    )  # fmt: skip
    text = "Filiale;Tag;Zeit von;Zeit bis;Tür;Zugang;Abgang\nMitte;02.03.2026;10:00;10:15;Süd;4,0;2\n"
    assert counts(read(text, columns)) == [("Süd", "02 09:00", 4, 2)]
    with pytest.raises(Misshapen, match="lacks: Tag, Zeit von"):
        read(PLAIN.replace(",", ";"), columns)


def test_a_column_of_a_mapping_may_be_left_out() -> None:
    assert counts(read("t,n\n2026-03-02T10:00,7\n", Columns(start="t", entries="n"))) == [("", "02 09:00", 7, 0)]


def test_two_header_lines_are_refused() -> None:
    with pytest.raises(Misshapen, match="two header lines"):
        read(PLAIN.replace("\n", "\nBeginn,Ende,Zugang,Abgang\n", 1))
    with pytest.raises(Misshapen, match=r"its header \(Report, , , \) lacks: start, entries, exits"):
        read("Report,,,\n" + PLAIN)


def test_a_bad_row_is_refused_alone() -> None:
    push = read(PLAIN + "2026-03-02 10:15:00,2026-03-02 10:30:00,-1,2\n2026-03-02,,x,\nonly one\n" + "\x00,\x00,1,1\n")
    assert counts(push) == GOOD
    assert [(one.row, one.field, one.code) for one in push.refused] == [
        (1, "entries", "negative"), (2, "start", "time"), (3, "start", "time"), (4, "start", "time"),
    ]  # fmt: skip


def test_a_quoted_cell_may_go_over_lines() -> None:
    text = 'start,in,out,line\n2026-03-02 10:00:00,4,2,"South\nentrance, left"\n'
    assert counts(read(text)) == [("South\nentrance, left", "02 09:00", 4, 2)]


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (PLAIN + '2026,"', "cannot be read"),
        (PLAIN + '"' + "x" * 200_000 + '"', "cannot be read"),
        (b"start,in,out\n\xff\xfe\n", "UTF-8"),
        (b"\xff\xfe\x00", "UTF-8"),
        ("a," * 1_000_000, "1000001 columns"),
        ("", "empty"),
        ("  \r\n", "empty"),
        ("hello", "neither JSON nor XML nor a CSV"),
    ],
)
def test_what_is_no_table_is_said(raw: str | bytes, said: str) -> None:
    with pytest.raises(UnreadablePush, match=said):
        read(raw)
