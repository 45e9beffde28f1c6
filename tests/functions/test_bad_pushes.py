"""What devices and tills send that is wrong, through the door itself: each row is told off alone, none is our fault."""

import gzip
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from shared.sites.model import Calibration, Columns, Line, Setup
from tests.functions.door import COUNTS, OWN, VENDORS, World
from tests.shared.vendors import samples

TILLS = "/api/v1/ingest/transactions"
HEAD = "sensor,start,end,entries,exits"
GOOD = "door,2026-03-02T09:00:00Z,2026-03-02T09:15:00Z,3,2"
SALE: dict[str, Any] = {
    "id": "r1", "site": "main", "time": "2026-03-02T09:00:00Z", "currency": "EUR", "total": "2.50",
    "lines": [{"sku": "a", "quantity": "1", "unit_price": "2.50"}],
}  # fmt: skip
SALES = "id,site,time,currency,sku,quantity,unit_price"


@pytest.fixture
def world() -> World:
    made = World()
    made.add("door", "00:02:D1:00:00:06")
    made.sites["main"] = made.add("unused")
    return made


def codes(answer: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["field"], one["code"]) for one in answer["rejected"]]


@pytest.mark.parametrize("wrong", ["-1", "1.5", '"3"', "true", "null", "1e-3", "9223372036854775808", "1" * 400])
def test_a_count_that_is_none_refuses_its_row_alone(world: World, wrong: str) -> None:
    bad = json.dumps({**OWN, "entries": "?"}).replace('"?"', wrong)
    status, answer = world.post(COUNTS, f'{{"counts": [{bad}, {json.dumps(OWN)}]}}')
    assert (status, answer["accepted"], codes(answer)) == (202, 1, [("entries", "invalid")])
    assert answer["rejected"][0]["row"] == 0


def test_lines_that_count_too_many_together_are_refused(world: World) -> None:
    merged = {str(n): Line(name="all") for n in range(3)}
    world.add(
        "wide", setup=Setup(lines=merged, calibrations=[Calibration(datetime(2026, 1, 1, tzinfo=UTC), Decimal(100))])
    )
    rows = [{**OWN, "sensor": "wide", "line": str(n), "entries": 400_000} for n in range(3)]
    status, answer = world.post(COUNTS, {"counts": [*rows, OWN]})
    assert (status, answer["accepted"], set(codes(answer))) == (202, 1, {("entries", "too-many")})


@pytest.mark.parametrize("wrong", ["NaN", "Infinity", "-Infinity", "0x10", "01"])
def test_what_json_has_no_word_for_is_refused_as_a_whole(world: World, wrong: str) -> None:
    body = json.dumps({"counts": [{**OWN, "entries": "?"}]}).replace('"?"', wrong)
    assert world.post(COUNTS, body)[0] == 400
    assert not world.queue.messages


@pytest.mark.parametrize("wrong", ["-1", "1.5", "NaN", "inf", "9223372036854775808", "", "1e400", "\u0661"])
def test_a_count_of_a_csv_that_is_none_refuses_its_row_alone(world: World, wrong: str) -> None:
    status, answer = world.post(COUNTS, f"{HEAD}\n{GOOD.replace(',3,', f',{wrong},')}\n{GOOD}\n", "text/csv")
    assert (status, answer["accepted"], codes(answer)) == (202, 1, [("entries", "invalid")])


@pytest.mark.parametrize("wrong", ["2026-03-02T09:00:00", "2026-03-02 09:00:00", "2026-03-02T25:00:00Z", "yesterday"])
def test_a_time_without_a_zone_or_none_at_all_refuses_its_row(world: World, wrong: str) -> None:
    answer = world.post(COUNTS, {"counts": [{**OWN, "start": wrong}, OWN]})[1]
    assert (answer["accepted"], codes(answer)) == (1, [("start", "invalid")])
    answer = world.post(TILLS, {"transactions": [{**SALE, "time": wrong}, SALE]})[1]
    assert (answer["accepted"], codes(answer)) == (1, [("time", "invalid")])


@pytest.mark.parametrize(
    ("time", "code"),
    [
        ("1970-01-01T00:00:00Z", "too-old"),
        ("0001-01-01T00:00:00+14:00", "too-old"),
        ("2036-02-07T06:28:16Z", "future"),
        ("2026-03-10T12:00:00Z", "future"),
        ("9999-12-31T23:59:59-14:00", "future"),
    ],
)
def test_a_tills_wrong_clock_is_told(world: World, time: str, code: str) -> None:
    status, answer = world.post(TILLS, {"transactions": [{**SALE, "time": time}, SALE]})
    assert (status, answer["accepted"], [told for _, told in codes(answer)]) == (202, 1, [code])


@pytest.mark.parametrize(
    ("time", "code"), [("29.03.2025 02:30", None), ("30.03.2025 02:30", "local-time-missing"),
                       ("26.10.2025 02:30", "local-time-twice")],
)  # fmt: skip
def test_a_local_time_that_is_not_or_is_twice_refuses_its_row(world: World, time: str, code: str | None) -> None:
    columns = Columns(start="Zeit", entries="Zugang", time_format="%d.%m.%Y %H:%M")
    world.add("clock", setup=Setup(csv=columns))
    answer = world.post(COUNTS, f"Zeit;Zugang\n{time};4\n", "text/csv", "sensor=clock")[1]
    assert codes(answer) == ([("start", code)] if code else [])
    assert answer["accepted"] == (0 if code else 1)


@pytest.mark.parametrize("path", [COUNTS, VENDORS, TILLS])
@pytest.mark.parametrize(
    "body",
    [b"[" * 10**6, b'{"a":' * 10**6, b'{"counts":' + b"[" * 10**6, b'{"transactions":[{"lines":' + b"[" * 10**6,
     b"[" * 10**6 + b"]" * 10**6, b'{"data":' + b"[" * 10**6],
    ids=["arrays", "objects", "counts", "lines", "closed", "vendors"],
)  # fmt: skip
def test_a_million_nested_arrays_are_refused(world: World, path: str, body: bytes) -> None:
    status, problem = world.post(path, body)
    assert status in {400, 422}, problem


@pytest.mark.parametrize("path", [COUNTS, VENDORS, TILLS])
@pytest.mark.parametrize("head", [HEAD, SALES, "start,in,out"])
def test_a_million_columns_are_refused(world: World, path: str, head: str) -> None:
    wide = "," * 10**6
    for body in (f"{head}{wide}\n{GOOD}\n", wide + "\n" + wide):
        status, problem = world.post(path, body, "text/csv")
        assert status in {400, 422}, problem
    status, answer = world.post(path, f"{head}\n{wide}\n", "text/csv")
    assert status in {202, 400, 422}, answer
    assert not world.rows()


BOMB = "<!DOCTYPE l [<!ENTITY a 'aaaa'>" + "".join(
    f"<!ENTITY {chr(98 + n)} '{f'&{chr(97 + n)};' * 10}'>" for n in range(12)
) + "]>"  # fmt: skip


@pytest.mark.parametrize(
    ("enter", "head"),
    [
        ("&m;", BOMB),
        ("&x;", "<!DOCTYPE x [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>"),
        ("1", "<!DOCTYPE x SYSTEM 'http://127.0.0.1:9/x.dtd'>"),
    ],
    ids=["entity bomb", "external entity", "external subset"],
)
def test_xml_with_entities_is_refused(world: World, enter: str, head: str) -> None:
    raw = samples.hikvision("timeRange", samples.RANGE, enter=enter, head=head)
    for path in (VENDORS, "/api/v1/ingest/hikvision"):
        status, problem = world.post(path, raw, "application/xml")
        assert (status, problem["code"]) == (400, "unreadable-push")


@pytest.mark.parametrize("path", [COUNTS, VENDORS, TILLS])
def test_a_bomb_is_not_unpacked(world: World, path: str) -> None:
    packed = {"content-encoding": "gzip"}
    once = gzip.compress(b'{"counts": [' + b" " * 10**8)
    assert world.post(path, once, **packed)[0] == 413
    assert world.post(path, gzip.compress(once), **packed)[0] in {400, 413, 422}
    zipped = b"PK\x03\x04" + b"\x00" * 100
    assert world.post(path, zipped, "text/csv")[0] == 400


def lines(*rows: str, end: str = "\n") -> str:
    return end.join((*rows, ""))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", [",", ";"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_a_csv_is_read_however_its_lines_end(world: World, end: str, delimiter: str, bom: str) -> None:
    text = bom + lines(HEAD, GOOD, end=end).replace(",", delimiter)
    status, answer = world.post(COUNTS, text, "text/csv")
    assert (status, answer.get("accepted")) == (202, 1), answer
    sale = bom + lines(SALES, "r1,main,2026-03-02T09:00:00Z,EUR,a,1,2.50", end=end).replace(",", delimiter)
    status, answer = world.post(TILLS, sale, "text/csv")
    assert (status, answer.get("accepted")) == (202, 1), answer


def test_a_csv_with_two_header_lines_is_refused(world: World) -> None:
    for path, head in ((COUNTS, HEAD), (TILLS, SALES)):
        status, problem = world.post(path, lines(head, head, GOOD), "text/csv")
        assert (status, problem["code"], "two header lines" in problem["detail"]) == (400, "unreadable-csv", True)


def test_quotes_may_go_over_lines_and_must_end(world: World) -> None:
    sku = '"a\r\nb, ""c"""'
    status, answer = world.post(TILLS, lines(SALES, f"r1,main,2026-03-02T09:00:00Z,EUR,{sku},1,2.50"), "text/csv")
    assert (status, answer["accepted"]) == (202, 1)
    assert world.tills.messages[0].data["rows"][0] is not None
    assert b'a\\r\\nb, \\"c\\"' in bytes(world.tills.messages[0].data["rows"][0])
    for path, head in ((COUNTS, HEAD), (TILLS, SALES)):
        status, problem = world.post(path, lines(head, f'"{GOOD}', GOOD), "text/csv")
        assert (status, problem["code"]) == (400, "unreadable-csv")


def test_a_nul_in_a_csv_refuses_its_row_alone(world: World) -> None:
    status, answer = world.post(COUNTS, lines(HEAD, GOOD.replace("door", "do\0or"), GOOD), "text/csv")
    assert (status, answer["accepted"], codes(answer)) == (202, 1, [("sensor", "invalid")])
    row = "r\0,main,2026-03-02T09:00:00Z,EUR,a,1,2.50"
    status, answer = world.post(TILLS, lines(SALES, row, row.replace("\0", "1")), "text/csv")
    assert (status, answer["accepted"], codes(answer)) == (202, 1, [("id", "invalid")])
    columns = Setup(csv=Columns(start="start", entries="in", line="line"))
    world.add("table", setup=columns)
    text = "start,line,in\n2026-03-02 09:00:00,do\0or,3\n2026-03-02 09:00:00,side,\0\n"
    status, answer = world.post(COUNTS, text, "text/csv", "sensor=table")
    assert (status, answer["accepted"], codes(answer)) == (202, 1, [("entries", "count")])
    assert world.rows()[-1][1] == "do\ufffdor"  # a name may be anything, but for what no table holds


@pytest.mark.parametrize(
    "row", [GOOD + ",,,,,,", "door", ",,,,", '"', "\x00", "door,,,,", "é" * 10_000, "=cmd|' /C calc'!A0,1,2,3,4"]
)
def test_a_row_of_another_length_or_of_nonsense_is_no_fault_of_ours(world: World, row: str) -> None:
    for path, head in ((COUNTS, HEAD), (TILLS, SALES)):
        status, answer = world.post(path, lines(head, row), "text/csv")
        assert status < 500, answer


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"total": "NaN"}, "total"), ({"total": "1e999999"}, "total"), ({"total": None}, "total"),
        ({"lines": [{"sku": "a", "quantity": "NaN", "unit_price": "1"}]}, "lines/0/quantity"),
        ({"lines": [{"sku": "a", "quantity": "1", "unit_price": "-1"}]}, "lines/0/unit_price"),
        ({"lines": [{"sku": "a", "quantity": "9223372036854775808", "unit_price": "1"}]}, "lines/0/quantity"),
        ({"currency": "euro"}, "currency"), ({"site": "nowhere"}, "site"), ({"id": "a\0"}, "id"), ({"id": ""}, "id"),
        ({"cancels": ""}, "cancels"), ({"cancels": "r1"}, "cancels"), ({"returns": "r1"}, "returns"),
        ({"cancels": "r0", "returns": "r0"}, "cancels"), ({"cancels": 5}, "cancels"),
    ],
)  # fmt: skip
def test_a_receipt_that_cannot_be_is_refused_alone(world: World, change: dict[str, Any], field: str) -> None:
    status, answer = world.post(TILLS, {"transactions": [{**SALE, **change}, SALE]})
    assert (status, answer["accepted"], [told for told, _ in codes(answer)]) == (202, 1, [field])


def test_nothing_is_counted_as_taken_while_a_queue_is_down(world: World) -> None:
    world.queue.failing = world.tills.failing = True
    world.rows_left = 10
    csv = lines(SALES, "r1,main,2026-03-02T09:00:00Z,EUR,a,1,2.50")
    for path, body, kind in (
        (COUNTS, json.dumps({"counts": [OWN]}), "application/json"),
        (COUNTS, lines(HEAD, GOOD), "text/csv"),
        (TILLS, json.dumps({"transactions": [SALE]}), "application/json"),
        (TILLS, csv, "text/csv"),
        ("/api/v1/ingest/heartbeats", json.dumps({"heartbeats": [{"sensor": "door"}]}), "application/json"),
    ):
        status, problem = world.post(path, body, kind)
        assert (status, "accepted" in problem) == (503, False)
    assert world.rows_left == 10
    world.queue.failing = world.tills.failing = False
    assert world.post(TILLS, csv, "text/csv")[1]["accepted"] == 1
    assert world.rows_left == 9


def test_returns_and_cancellations_name_what_they_undo(world: World) -> None:
    back = {**SALE, "id": "r2", "total": "-2.50", "lines": [{**SALE["lines"][0], "quantity": "-1"}]}
    assert (
        world.post(TILLS, {"transactions": [{**back, "returns": "r1"}, {**back, "id": "r3", "cancels": "r1"}]})[0]
        == 202
    )
    text = lines(SALES + ",returns", "r4,main,2026-03-02T09:00:00Z,EUR,a,-1,2.50,r1")
    assert world.post(TILLS, text, "text/csv")[1]["accepted"] == 1
    rows = [json.loads(bytes(row)) for message in world.tills.messages for row in message.data["rows"]]
    assert [(row[1], row[5]) for row in rows] == [("r2", "r1"), ("r3", "r1"), ("r4", "r1")]


def test_a_cancellation_in_a_csv_that_sells_is_refused_with_its_line(world: World) -> None:
    text = lines(SALES + ",cancels", "r4,main,2026-03-02T09:00:00Z,EUR,a,2,2.50,r1")
    answer = world.post(TILLS, text, "text/csv")[1]
    assert (answer["accepted"], codes(answer)) == (0, [("lines/0/quantity", "gives-nothing-back")])


def test_a_receipt_of_hundreds_of_lines_is_kept_whole_and_every_message_fits(world: World) -> None:
    line = {"sku": "x" * 100, "quantity": "1", "unit_price": "2.50"}
    receipts = [{**SALE, "id": f"r{n}", "site": "other", "lines": [line] * 400} for n in range(30)]
    bad = [{**one, "currency": "euro"} for one in receipts]
    lines = "".join(f"r1,other,2026-03-02T09:00:00Z,EUR,{'x' * 90}{n},1,2.50\n" for n in range(400))
    for body, content_type, times in (
        ({"transactions": receipts}, "application/json", 30),
        ({"transactions": bad}, "application/json", 30),
        (f"{SALES}\n{lines}", "text/csv", 400),
    ):
        world.tills.messages.clear()
        assert world.post(TILLS, body, content_type)[1]["rejected_count"] == times
        kept = [one for message in world.tills.messages for one in message.data["refused"]]
        assert len(kept) == times
        whole = [one["content"]["lines"] for one in kept if "lines" in one["content"]]
        assert [len(one) for one in whole] == [400] * (30 if times == 30 else 1)
        assert max(len(message.encode()) for message in world.tills.messages) < 600_000
