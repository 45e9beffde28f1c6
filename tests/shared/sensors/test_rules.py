"""What devices say, sorted: a bad row is refused alone, with its field and a sentence, and nothing is ever raised."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.sensors import rules
from shared.sensors.errors import NoRows, TooManyRows, UnreadableCsv
from shared.sensors.model import Sorted, TransactionRow
from tenant_context.errors import BadRequest, Invalid, RmapError

NOW = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
SENSORS = {"door-1": uuid4()}
SITES = {"flagship": uuid4()}
COUNT: dict[str, Any] = {
    "sensor": "door-1", "start": "2026-03-02T09:00:00Z", "end": "2026-03-02T09:15:00Z", "entries": 3, "exits": 2,
}  # fmt: skip
LINE: dict[str, Any] = {"sku": "tea", "quantity": "2", "unit_price": "1.50"}
SALE: dict[str, Any] = {
    "id": "t-1", "site": "flagship", "time": "2026-03-02T09:00:00Z", "currency": "EUR", "total": "3.00",
    "lines": [LINE],
}  # fmt: skip
Verdict = tuple[int, list[tuple[int, str, str]], int]


def counts(*rows: object) -> Verdict:
    """Of a push: rows kept, the place, field and code of each refusal, rows said twice."""
    found = rules.read_counts_json(json.dumps({"counts": rows}).encode())
    kept = rules.sift_counts(found, SENSORS, NOW)
    return len(kept), [(one.row, one.field, one.code) for one in rules.refusals(found)], found.duplicates


def sales(*rows: object) -> Verdict:
    """The same of receipts."""
    found = rules.read_transactions_json(json.dumps({"transactions": rows}).encode())
    kept = rules.sift_transactions(found, SITES, NOW)
    return len(kept), [(one.row, one.field, one.code) for one in rules.refusals(found)], found.duplicates


def csv_sales(*lines: str) -> Verdict:
    """The same of a CSV of receipts' lines."""
    raw = "\n".join(("id,site,time,currency,sku,quantity,unit_price", *lines)).encode()
    found = rules.read_transactions_csv(raw)
    kept = rules.sift_transactions(found, SITES, NOW)
    return len(kept), [(one.row, one.field, one.code) for one in rules.refusals(found)], found.duplicates


def test_a_good_row_is_kept_and_its_repetition_counted() -> None:
    assert counts(COUNT, COUNT, COUNT) == (1, [], 2)
    assert sales(SALE, SALE) == (1, [], 1)


def test_a_whole_number_with_a_point_is_one() -> None:
    as_floats = {**COUNT, "entries": 3.0, "exits": 2.0}
    assert counts(as_floats, COUNT) == (1, [], 1)  # the two say the same
    found = rules.read_counts_json(json.dumps({"counts": [{**as_floats, "exits": 0.0}]}).encode())
    [(_, row)] = found.taken
    assert [(type(one), one) for one in (row.entries, row.exits)] == [(int, 3), (int, 0)]


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"sensor": "another's"}, "sensor", "unknown-sensor"),
        ({"sensor": ""}, "sensor", "invalid"),
        ({"sensor": "x" * 129}, "sensor", "invalid"),
        ({"sensor": "door-1\x00"}, "sensor", "invalid"),
        ({"line": "\x00"}, "line", "invalid"),
        ({"entries": -1}, "entries", "invalid"),
        ({"entries": 10**7}, "entries", "invalid"),
        ({"entries": 2**70}, "entries", "invalid"),
        ({"entries": 1.5}, "entries", "invalid"),
        ({"entries": "1"}, "entries", "invalid"),
        ({"entries": True}, "entries", "invalid"),
        ({"exits": None}, "exits", "invalid"),
        ({"start": "2026-03-02T09:00:00"}, "start", "invalid"),
        ({"start": "2026-03-02"}, "start", "invalid"),
        ({"start": "2016-12-31T23:59:60Z"}, "start", "invalid"),
        ({"start": "0000-01-01T00:00:00Z"}, "start", "invalid"),
        ({"start": "1999-12-31T23:59:59Z"}, "start", "too-old"),
        ({"start": "0001-01-01T00:00:00+14:00"}, "start", "too-old"),
        ({"start": "9999-12-31T23:59:59-14:00", "end": "9999-12-31T23:59:59-15:00"}, "start", "future"),
        ({"start": "2026-03-03T12:05:01Z", "end": "2026-03-03T12:20:00Z"}, "start", "future"),
        ({"start": "2026-03-03T11:59:00Z", "end": "2026-03-03T12:05:01Z"}, "end", "future"),
        ({"end": "2026-03-02T09:00:00Z"}, "end", "interval-order"),
        ({"end": "2026-03-03T09:00:01Z"}, "end", "interval-too-long"),
        ({"people": 1}, "", "invalid"),
    ],
)
def test_a_bad_count_is_refused_alone(change: dict[str, Any], field: str, code: str) -> None:
    assert counts(COUNT, {**COUNT, **change}) == (1, [(1, field, code)], 0)


@pytest.mark.parametrize("row", [None, 1, "row", [], True])
def test_what_is_no_row_is_refused_alone(row: object) -> None:
    assert counts(COUNT, row) == (1, [(1, "", "invalid")], 0)
    assert sales(SALE, row) == (1, [(1, "", "invalid")], 0)


def test_two_rows_that_contradict_each_other_are_told() -> None:
    assert counts(COUNT, {**COUNT, "exits": 9}) == (1, [(1, "start", "conflict-in-push")], 0)
    assert sales(SALE, {**SALE, "total": "4.00"}) == (1, [(1, "id", "conflict-in-push")], 0)


HUGE = ["0E+99999", "1e400", "1e9999999", "-1e9999999", "NaN", "sNaN", "Infinity", "-Infinity", "1000000000.01"]


@pytest.mark.parametrize("nothing", ["0E-99999", "-0E-16384", "1." + "0" * 20_000, "0." + "0" * 29])
@pytest.mark.parametrize("field", ["total", "quantity", "unit_price"])
def test_an_amount_with_more_places_than_any_store_reads_is_refused(field: str, nothing: str) -> None:
    row = {**SALE, "total": nothing} if field == "total" else {**SALE, "lines": [{**LINE, field: nothing}]}
    place = field if field == "total" else f"lines/0/{field}"
    assert sales(SALE, {**row, "id": "t-2"}) == (1, [(1, place, "too-fine")], 0)
    if field != "total":
        line = {**LINE, field: nothing}
        told = csv_sales(f"t-1,flagship,2026-03-02T09:00:00Z,EUR,tea,{line['quantity']},{line['unit_price']}")
        assert told == (0, [(0, field, "too-fine")], 0)


def test_zeros_that_say_nothing_are_taken() -> None:
    assert sales({**SALE, "total": "3." + "0" * 28, "lines": [{**LINE, "quantity": "0.00", "unit_price": "0e3"}]}) == (
        1,
        [],
        0,
    )


@pytest.mark.parametrize("sign", ["", "-"])
def test_more_pieces_together_than_are_kept_are_refused(sign: str) -> None:
    row = {**SALE, "id": "t-2", "lines": [{**LINE, "sku": f"{n}", "quantity": f"{sign}1000000000"} for n in range(150)]}
    assert sales(SALE, row) == (1, [(1, "lines", "amount")], 0)
    row["lines"] = row["lines"][:1]
    assert sales(SALE, row) == (2, [], 0)


@pytest.mark.parametrize("amount", HUGE)
@pytest.mark.parametrize("field", ["total", "quantity", "unit_price"])
def test_an_amount_beyond_reason_is_refused(field: str, amount: str) -> None:
    row = {**SALE, "total": amount} if field == "total" else {**SALE, "lines": [{**LINE, field: amount}]}
    place = field if field == "total" else f"lines/0/{field}"
    assert sales(SALE, {**row, "id": "t-2"}) == (1, [(1, place, "amount")], 0)


@pytest.mark.parametrize("amount", HUGE)
@pytest.mark.parametrize("field", ["quantity", "unit_price"])
def test_an_amount_beyond_reason_in_a_csv_is_refused(field: str, amount: str) -> None:
    values = {"quantity": "1", "unit_price": "1.00", field: amount}
    bad = f"t-2,flagship,2026-03-02T09:00:00Z,EUR,tea,{values['quantity']},{values['unit_price']}"
    good = "t-1,flagship,2026-03-02T09:00:00Z,EUR,tea,1,1.00"
    assert csv_sales(good, bad) == (1, [(1, field, "amount")], 0)


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"total": "3.00001"}, "total", "too-fine"),
        ({"total": "1." + "1" * 50}, "total", "too-fine"),
        ({"lines": [{**LINE, "quantity": "0.0001"}]}, "lines/0/quantity", "too-fine"),
        ({"lines": [{**LINE, "unit_price": "1e-9999999"}]}, "lines/0/unit_price", "too-fine"),
        ({"lines": [{**LINE, "unit_price": "-1"}]}, "lines/0/unit_price", "negative-price"),
        ({"lines": [LINE] * 2001}, "lines", "invalid"),
        ({"lines": None}, "lines", "invalid"),
        ({"currency": "eur"}, "currency", "invalid"),
        ({"currency": "XXQ"}, "currency", "unknown-currency"),
        ({"currency": "XAU"}, "currency", "unknown-currency"),
        ({"site": "another's"}, "site", "unknown-site"),
        ({"id": ""}, "id", "invalid"),
        ({"cancels": ""}, "cancels", "invalid"),
        ({"time": "2030-01-01T00:00:00Z"}, "time", "future"),
    ],
)
def test_a_bad_receipt_is_refused_alone(change: dict[str, Any], field: str, code: str) -> None:
    assert sales(SALE, {**SALE, "id": "t-2", **change}) == (1, [(1, field, code)], 0)


@pytest.mark.parametrize(
    ("change", "quantities", "field"),
    [
        ({"cancels": "t-1", "total": "3.00"}, ["2"], "lines/0/quantity"),
        ({"cancels": "t-1", "total": "-3.00"}, ["-2", "1"], "lines/1/quantity"),
        ({"cancels": "t-1", "total": "0.01"}, [], "total"),
        ({"cancels": "t-1", "total": "3.00"}, ["-2"], "total"),
        ({"returns": "t-1", "total": "-3.00"}, ["2"], "lines/0/quantity"),
        ({"returns": "t-1", "total": "1.50"}, ["-1", "2"], "total"),
        ({"cancels": "t-1", "total": "-3.00"}, ["-2"], None),
        ({"cancels": "t-1", "total": "0"}, [], None),
        ({"returns": "t-1", "total": "-1.50"}, ["-2", "1"], None),
        ({"returns": "t-1", "total": "-1.50"}, ["-1"], None),
    ],
)
def test_what_undoes_another_gives_money_back(change: dict[str, Any], quantities: list[str], field: str | None) -> None:
    row = {**SALE, "id": "t-2", **change, "lines": [{**LINE, "quantity": quantity} for quantity in quantities]}
    refused = [] if field is None else [(1, field, "gives-nothing-back")]
    assert sales(SALE, row) == (2 - len(refused), refused, 0)


def test_what_was_money_when_it_was_taken_is() -> None:
    old = [{**SALE, "id": f"t-{n}", "currency": one} for n, one in enumerate(("DEM", "HRK", "BGN", "CHF"))]
    assert sales(*old) == (4, [], 0)


def test_amounts_as_fine_as_they_are_kept_are_taken() -> None:
    line = {"sku": "tea", "quantity": "0.125", "unit_price": "0.0001"}
    assert sales({**SALE, "total": "-3.1234", "lines": [line]}, {**SALE, "id": "t-2", "total": 3.5})[0] == 2


def test_lines_of_a_csv_make_receipts() -> None:
    head = "flagship,2026-03-02T09:00:00Z,EUR"
    raw = f"\ufeffid,site,time,currency,sku,quantity,unit_price\r\nt-1,{head},tea,2,1.50\r\nt-1,{head},mug,1,8\r\n"
    found = rules.read_transactions_csv(raw.encode())
    ((_, receipt),) = found.taken
    assert (str(receipt.total), [line.sku for line in receipt.lines]) == ("11.00", ["tea", "mug"])


def test_decimals_may_have_a_comma_where_semicolons_part_the_columns() -> None:
    head = "flagship;2026-03-02T09:00:00Z;EUR"
    raw = "id;site;time;currency;sku;quantity;unit_price\n" + f"t-1;{head};a,1;0,5;3,90\nt-2;{head};b;1;1.234,50\n"
    found = rules.read_transactions_csv(raw.encode())
    ((_, receipt),) = found.taken
    assert (str(receipt.total), receipt.lines[0].sku) == ("1.950", "a,1")
    assert [(one.row, one.field, one.code) for one in rules.refusals(found)] == [(1, "unit_price", "invalid")]
    raw = f'id,site,time,currency,sku,quantity,unit_price\nt-1,{head.replace(";", ",")},a,"0,5",3.90\n'
    assert not rules.read_transactions_csv(raw.encode()).taken


@pytest.mark.parametrize(
    ("line", "field", "code"),
    [
        ("mug,x,5.00", "quantity", "invalid"), ("mug,2", "unit_price", "invalid"), (",2,5.00", "sku", "invalid"),
        ("mug,1e99,5.00", "quantity", "amount"), ("mug,2,0.00001", "unit_price", "too-fine"),
        ("mug,1_000,5.00", "quantity", "invalid"), ("mug,2,\u0665.00", "unit_price", "invalid"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("place", range(3))
def test_a_line_that_cannot_be_read_refuses_its_whole_receipt_which_is_kept(
    line: str, field: str, code: str, place: int
) -> None:
    head, lines = "r1,berlin,2026-03-02T10:00:00Z,EUR,", ["tea,3,2.00", "pot,1,9.00"]
    lines.insert(place, line)
    text = "id,site,time,currency,sku,quantity,unit_price\n" + "\n".join(head + one for one in lines)
    found = rules.read_transactions_csv((text + "\nr2,berlin,2026-03-02T11:00:00Z,EUR,tea,1,2.00\n").encode())
    assert [(receipt.id, str(receipt.total)) for _, receipt in found.taken] == [("r2", "2.00")]
    refused = rules.refusals(found)
    assert [one.row for one in refused] == [0, 1, 2]
    assert [(one.field, one.code) for one in refused].count(("id", "receipt-refused")) == 2
    bad = refused[place]
    assert (bad.field, bad.code) == (field, code)
    assert [one["sku"] for one in bad.content["lines"]] == [one.partition(",")[0] for one in lines]
    assert {name: bad.content[name] for name in ("id", "site", "time", "currency")} == {
        "id": "r1", "site": "berlin", "time": "2026-03-02T10:00:00Z", "currency": "EUR",
    }  # fmt: skip
    assert all(one.content == {"id": "r1", "site": "berlin"} for one in refused if one is not bad)


def test_a_receipt_of_more_lines_than_one_may_have_is_refused_alone() -> None:
    head, line = "id,site,time,currency,sku,quantity,unit_price\n", "berlin,2026-03-02T10:00:00Z,EUR"
    text = "".join(
        f"{receipt},{line},s{n},1,2.00\n" for receipt, most in (("r1", 2_000), ("r2", 2_001)) for n in range(most)
    )
    found = rules.read_transactions_csv((head + text + f"r3,{line},tea,1,2.00\n").encode())
    assert [(receipt.id, len(receipt.lines)) for _, receipt in found.taken] == [("r1", 2_000), ("r3", 1)]
    refused = rules.refusals(found)
    assert [one.row for one in refused] == list(range(2_000, 4_001))
    assert {(one.field, one.code) for one in refused} == {("lines", "invalid")}
    assert refused[0].message == "are 2001, and a receipt has 2000 at most"
    assert len(refused[0].content["lines"]) == 2_001
    assert sales({**SALE, "lines": SALE["lines"][:1] * 2_001}) == (0, [(0, "lines", "invalid")], 0)


def test_a_receipt_that_no_message_can_hold_is_refused_alone() -> None:
    found: Sorted[TransactionRow] = Sorted()
    row = msgspec.convert({**SALE, "id": "r1"}, TransactionRow)
    assert rules.small_enough(found, [(0, row, b"x" * 500_001), (1, row, b"x" * 500_000)]) == [(1, b"x" * 500_000)]
    assert [(one.row, one.field, one.code) for one in found.refused] == [(0, "lines", "too-large")]


def test_a_receipt_whose_particulars_are_wrong_is_kept_with_all_its_lines_once() -> None:
    lines = "r1,berlin,today,EUR,tea,3,2.00\nr1,berlin,today,EUR,mug,1,5.00\n"
    found = rules.read_transactions_csv(("id,site,time,currency,sku,quantity,unit_price\n" + lines).encode())
    first, second = rules.refusals(found)
    assert [one["sku"] for one in first.content["lines"]] == ["tea", "mug"]
    assert second.content == {"id": "r1", "site": "berlin"}


def test_a_line_that_ends_before_its_receipt_is_named_is_told_off() -> None:
    found = rules.read_transactions_csv(b"sku,quantity,unit_price,time,currency,site,id\ntea,1,2.00\n")
    assert [(one.row, one.code) for one in rules.refusals(found)] == [(0, "invalid")]


@pytest.mark.parametrize(
    "raw",
    [b"", b"\xff\xfe", b"sensor,start\n", b'sensor,start,end,entries,exits\n"door-1,', bytes(range(256)),
     b"sensor,start,end,entries,exits\n" + b'"' + b"x" * 200_000 + b'",1,2,3,4\n',
     b"sensor,start,end,entries,exits\n" * 2, b"sensor,start,end,entries,exits," + b"x," * 1_000_000],
)  # fmt: skip
def test_what_is_no_csv_is_told(raw: bytes) -> None:
    with pytest.raises(UnreadableCsv):
        rules.read_counts_csv(raw)


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b"nonsense", b'{"counts":[NaN]}'])
def test_what_is_no_json_is_told(raw: bytes) -> None:
    with pytest.raises(BadRequest):
        rules.read_counts_json(raw)


@pytest.mark.parametrize("raw", [b"{}", b"[]", b"null", b'{"counts":{}}', b'{"counts":null}', b"1"])
def test_json_of_another_shape_names_the_field(raw: bytes) -> None:
    with pytest.raises(Invalid):
        rules.read_counts_json(raw)


@pytest.mark.parametrize("change", [(",", ";"), ("\n", "\r\n"), ("\n", "\r"), ("sensor", "\ufeffsensor")])
def test_a_csv_is_read_however_it_is_written(change: tuple[str, str]) -> None:
    text = "sensor,start,end,entries,exits\ndoor-1,2026-03-02T09:00:00Z,2026-03-02T09:15:00Z,3,2\n"
    found = rules.read_counts_csv(text.replace(*change).encode())
    assert [row.entries for _, row in found.taken] == [3]


def test_a_push_has_a_row_and_not_too_many() -> None:
    with pytest.raises(NoRows):
        counts()
    with pytest.raises(TooManyRows):
        counts(*[COUNT] * 10_001)
    assert counts(*[COUNT] * 10_000) == (1, [], 9_999)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(HUGE),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(sorted({*COUNT, *SALE, "cancels", "line", "people"}))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.dictionaries(FIELDS, JSON, max_size=3), min_size=1, max_size=4))
def test_each_row_is_kept_refused_or_a_repetition(changes: list[dict[str, Any]]) -> None:
    for push, row in ((counts, COUNT), (sales, SALE)):
        kept, refused, repeated = push(*({**row, **change} for change in changes))
        assert kept + len(refused) + repeated == len(changes)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_bytes_of_any_kind_end_in_a_verdict(raw: bytes) -> None:
    header = b"id,site,time,currency,sku,quantity,unit_price\n"
    for read, text in (
        (rules.read_counts_json, raw), (rules.read_transactions_json, raw), (rules.read_counts_csv, raw),
        (rules.read_transactions_csv, header + raw),
    ):  # fmt: skip
        try:
            found = read(text)
        except RmapError:
            continue
        assert found.taken or found.refused or found.duplicates


def test_an_id_finds_what_a_serial_finds() -> None:
    sensor = UUID(str(SENSORS["door-1"]))
    found = rules.read_counts_json(json.dumps({"counts": [{**COUNT, "sensor": str(sensor)}, COUNT]}).encode())
    kept = rules.sift_counts(found, {**SENSORS, str(sensor): sensor}, NOW)
    assert (len(kept), found.duplicates) == (1, 1)
