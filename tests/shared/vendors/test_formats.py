"""Each vendor's push becomes rows like everybody's, and what it is not is told."""

import json
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.sites.model import Columns, Line, Profile, Setup
from shared.vendors.errors import Misshapen, UnknownVendor, UnreadablePush, Unrecognised
from shared.vendors.model import Push
from shared.vendors.rules import recognise
from shared.vendors.rules.settle import settle
from tenant_context.errors import RmapError
from tests.real import DATA, MISSING
from tests.shared.vendors import samples

Row = tuple[str, str, str, int, int]
DOCUMENTS = [
    (samples.AXIS_LIVE, "axis", "axis-live"),
    (samples.AXIS_RETAIL, "axis", "axis-retail-data"),
    (samples.XOVIS_LOGICS, "xovis", "xovis-5-logics"),
    (samples.XOVIS_LIVE, "xovis", "xovis-5-live"),
    (samples.XOVIS_STATUS, "xovis", "xovis-5-status"),
    (samples.XOVIS_4, "xovis", "xovis-4"),
    (samples.IRISYS, "irisys", "irisys-vector"),
    (samples.VIVOTEK, "vivotek", "vivotek-json"),
]


def read(document: object, vendor: str | None = None) -> Push:
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    return recognise.read(raw, vendor)


def profile(zone: str = "Europe/Berlin", interval: int = 15, **setup: Any) -> Profile:
    return Profile(zone, interval, Setup(**setup))


def rows(push: Push, known: Profile | None = None) -> tuple[list[Row], list[tuple[str, str, int, int]]]:
    """Of a push: intervals as line, start, end, entries, exits; standings as line, moment, entries, exits."""
    intervals, readings = settle(push, "door", known or profile())
    return (
        [(row.line, _told(row.start), _told(row.end), row.entries, row.exits) for _, row in intervals.taken],
        [(row.line, _told(row.at), row.entries, row.exits) for _, row in readings.taken],
    )


def refusals(push: Push, known: Profile | None = None) -> list[tuple[int, str, str]]:
    intervals, _ = settle(push, "door", known or profile())
    return [(one.row, one.field, one.code) for one in intervals.refused]


def _told(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%d %H:%M:%S}"


@pytest.mark.parametrize(("document", "vendor", "form"), DOCUMENTS)
def test_a_push_is_recognised_by_what_stands_in_it(document: object, vendor: str, form: str) -> None:
    for address in (None, vendor):
        push = read(document, address)
        assert (push.vendor, push.form) == (vendor, form)
        assert push.references
    other = "irisys" if vendor != "irisys" else "axis"
    with pytest.raises(Unrecognised, match=f"for {other}, but this was recognised as {form}"):
        read(document, other)


def test_axis_of_old_tells_where_its_counters_stand_in_local_time() -> None:
    assert rows(read(samples.AXIS_LIVE)) == ([], [("", "02 09:15:00", 12, 9)])


def test_axis_of_today_tells_intervals_and_its_queues_are_ignored() -> None:
    push = read(samples.AXIS_RETAIL)
    assert rows(push) == ([("", "02 09:00:00", "02 09:15:00", 4, 2)], [])
    assert push.ignored == 1


def test_one_push_of_xovis_holds_several_minutes_of_several_lines() -> None:
    push = read(samples.XOVIS_LOGICS)
    assert rows(push)[0] == [("Door", "02 09:00:00", "02 09:01:00", 3, 1), ("Door", "02 09:01:00", "02 09:02:00", 0, 2)]
    assert push.ignored == 1
    assert push.references[0] == "00:6E:02:00:00:03"
    assert "006e02000003" in push.references


def test_xovis_counts_by_records_or_by_events_and_never_by_both() -> None:
    events = profile(counts_from="events")
    assert rows(read(samples.XOVIS_LIVE)) == ([], [])
    assert rows(read(samples.XOVIS_LIVE), events)[0] == [
        ("Door", "02 09:00:00", "02 09:00:00", 2, 0), ("Door", "02 09:00:00", "02 09:15:00", 0, 0),
    ]  # fmt: skip
    assert rows(read(samples.XOVIS_LOGICS), events) == ([], [])


def test_xovis_4_is_read_with_its_offsets() -> None:
    assert rows(read(samples.XOVIS_4))[0] == [("Line 1", "02 09:00:00", "02 09:15:00", 5, 6)]


def test_irisys_counts_its_period_and_not_its_standing() -> None:
    assert rows(read(samples.IRISYS))[0] == [
        ("In", "02 09:00:00", "02 09:01:00", 2, 0), ("Out", "02 09:00:00", "02 09:01:00", 0, 1),
    ]  # fmt: skip


def test_lines_with_one_name_are_counted_together() -> None:
    lines = {"In": Line(name="Door"), "1": Line(name="Door")}
    assert rows(read(samples.IRISYS), profile(lines=lines))[0] == [("Door", "02 09:00:00", "02 09:01:00", 2, 1)]


def test_a_register_without_a_direction_needs_one_in_the_setup() -> None:
    document = deepcopy(samples.IRISYS)
    document["CountLogs"][0]["Counts"] = [{"Name": "Line", "LogPeriodValue": 4}]
    assert refusals(read(document)) == [(0, "line", "no-direction")]
    told = profile(lines={"Line": Line(direction="out")})
    assert rows(read(document), told)[0] == [("Line", "02 09:00:00", "02 09:01:00", 0, 4)]


def test_vivotek_counts_by_rule() -> None:
    assert rows(read(samples.VIVOTEK))[0] == [("Door", "02 09:00:00", "02 09:15:00", 1, 2)]


def test_directions_turn_round_and_lines_are_left_out() -> None:
    assert rows(read(samples.VIVOTEK), profile(lines={"Door": Line(direction="reversed")}))[0][0][3:] == (2, 1)
    push = read(samples.VIVOTEK)
    assert rows(push, profile(lines={"Door": Line(direction="ignored")})) == ([], [])
    assert push.ignored == 2


def test_hikvision_tells_an_interval_or_a_standing() -> None:
    ranged = read(samples.hikvision("timeRange", samples.RANGE))
    assert (ranged.vendor, rows(ranged)) == ("hikvision", ([("1", "02 09:00:00", "02 09:15:00", 3, 1)], []))
    at = "<RealTime><time>2026-03-02T10:14:30+01:00</time></RealTime>"
    assert rows(read(samples.hikvision("realTime", at))) == ([], [("1", "02 09:14:30", 3, 1)])
    assert rows(read(samples.hikvision("realTime", ""))) == ([], [("1", "02 09:15:00", 3, 1)])


def test_every_count_of_a_hikvisions_push_is_read() -> None:
    one = samples.hikvision("timeRange", samples.RANGE).decode()
    counting = one[one.index("<peopleCounting>") : one.index("</EventNotificationAlert>")]
    later = counting.replace("T10:15:00", "T10:30:00").replace("T10:00:00", "T10:15:00")
    assert rows(read(one.replace(counting, counting + later).encode()))[0] == [
        ("1", "02 09:00:00", "02 09:15:00", 3, 1), ("1", "02 09:15:00", "02 09:30:00", 3, 1),
    ]  # fmt: skip


def test_a_multipart_push_is_its_first_part_that_is_one_and_the_others_are_told() -> None:
    xml = samples.hikvision("timeRange", samples.RANGE)
    parts = [(b"text/plain", b"hello"), (b"image/jpeg", b"\xff\xd8"), (b"application/xml", xml), (b"text/xml", xml)]
    body = b"".join(b"--b\r\nContent-Type: " + kind + b"\r\n\r\n" + raw + b"\r\n" for kind, raw in parts) + b"--b--\r\n"
    push = read(body)
    assert (len(push.records), push.ignored) == (1, 2)
    with pytest.raises(UnreadablePush, match="neither JSON nor XML"):
        read(b"--b\r\n\r\nhello\r\n--b\r\n\r\nworld\r\n--b--\r\n")


def test_labels_of_xovis_are_read_in_capitals_too() -> None:
    document = deepcopy(samples.XOVIS_4)
    for value, label in zip(document["content"]["element"][0]["measurement"][0]["value"], ("FW", "Out"), strict=True):
        value["label"] = label
    assert rows(read(document))[0] == [("Line 1", "02 09:00:00", "02 09:15:00", 5, 6)]


def test_an_axis_measurement_of_another_direction_is_refused_alone() -> None:
    document = deepcopy(samples.AXIS_RETAIL)
    first = document["data"]["measurements"][0]
    document["data"]["measurements"].append({**first, "items": [{"direction": "past", "count": 4}]})
    push = read(document)
    assert len(rows(push)[0]) == 1
    assert refusals(push) == [(1, "data/measurements/2/items/0/direction", "direction")]


def test_registers_that_tell_who_is_there_are_ignored() -> None:
    document = deepcopy(samples.IRISYS)
    document["CountLogs"][0]["Counts"] += [
        {"Name": "Inside", "LogPeriodValue": 4, "RegisterType": "Occupancy"},
        {"Name": "Shop", "LogPeriodValue": 4, "RegisterType": "Zone", "Tags": ["direction=IN"]},
    ]
    push = read(document)
    assert push.ignored == 2  # and the histogram
    assert [row[0] for row in rows(push)[0]] == ["In", "Out", "Shop"]
    assert refusals(push) == []


def test_hikvisions_other_events_are_ignored() -> None:
    push = read(b"<EventNotificationAlert><eventType>videoloss</eventType></EventNotificationAlert>")
    assert (push.records, push.ignored) == ([], 1)


def test_hikvision_in_a_part_of_a_form_is_read() -> None:
    xml = samples.hikvision("timeRange", samples.RANGE)
    body = b"--b0\r\nContent-Type: application/xml\r\n\r\n" + xml + b"\r\n--b0--\r\n"
    assert rows(read(body)) == rows(read(xml))


BOMB = "<!DOCTYPE l [<!ENTITY a 'aaaa'>" + "".join(
    f"<!ENTITY {chr(98 + n)} '{f'&{chr(97 + n)};' * 10}'>" for n in range(12)
) + "]>"  # fmt: skip


@pytest.mark.parametrize(
    "raw",
    [
        samples.hikvision("timeRange", samples.RANGE, enter="&m;", head=BOMB),
        samples.hikvision("t", "", enter="&x;", head="<!DOCTYPE x [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>"),
        samples.hikvision("t", "", head="<!DOCTYPE x SYSTEM 'http://127.0.0.1:9/x.dtd'>"),
        samples.hikvision("t", "", head="<!DOCTYPE x [<!ENTITY % p SYSTEM 'http://127.0.0.1:9/p'> %p;]>"),
        b"<a>" * 100_000,
        b"<?xml version='1.0' encoding='x-nothing'?><a/>",
        b"<?xml version='1.0' encoding='utf-7'?><a/>",
        b"<a>&undefined;</a>",
        b"<a",
        b"<a></b>",
        b"<",
    ],
    ids=range(11),
)
def test_xml_that_would_harm_or_is_none_is_refused(raw: bytes) -> None:
    with pytest.raises(UnreadablePush):
        read(raw)


def test_xml_of_another_root_says_what_is_wrong() -> None:
    with pytest.raises(Misshapen, match="recognised as hikvision-xml, but: the root is a and not"):
        read(b"<a/>")


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"logics_data": {}}, "recognised as xovis-5-logics, but at logics_data/logics: is missing"),
        ({"logics_data": {"logics": [{"records": {}}]}}, "at logics_data/logics/0/records: must be a list"),
        ({"apiName": "Axis Retail Data", "data": {}}, "axis-retail-data, but at sensor: is missing"),
        ({"apiName": "Axis Retail Data"}, "recognised as axis, but at data: is missing"),
        ({"CountLogs": 5}, "irisys-vector, but at CountLogs: must be a list"),
        ({"Source": 1, "Data": []}, "vivotek-json, but at Source: must be an object"),
        ({"live_data": None}, "xovis-5-live, but at live_data: must be an object"),
    ],
)
def test_what_was_recognised_and_is_wrong_is_said(document: object, said: str) -> None:
    with pytest.raises(Misshapen) as raised:
        read(document)
    assert said in raised.value.detail


@pytest.mark.parametrize("document", [{}, [], [1], {"people": 3}, {"counts": []}])
def test_what_is_nobodys_is_said(document: object) -> None:
    with pytest.raises(Unrecognised):
        read(document)


def test_an_address_of_nobody_is_not_there() -> None:
    with pytest.raises(UnknownVendor):
        read(samples.VIVOTEK, "acme")


BAD_COUNTS: list[tuple[object, str]] = [
    (-1, "negative"), (1.5, "count"), (2**63, "too-large"), (10**30, "too-large"), (True, "count"), (None, "count"),
    ("x", "count"), ([], "count"), (1_000_001, "too-large"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "code"), BAD_COUNTS)
def test_a_bad_count_refuses_its_row_alone(value: object, code: str) -> None:
    document = deepcopy(samples.VIVOTEK)
    good = document["Data"][0]["CountingInfo"][0]
    document["Data"][0]["CountingInfo"].append({**good, "RuleName": "Other", "In": value})
    push = read(document)
    assert len(rows(push)[0]) == 1
    assert refusals(push) == [(1, "Data/0/CountingInfo/1/In", code)]


@pytest.mark.parametrize(
    ("value", "code"),
    [("NaN", "count"), ("-3", "negative"), ("1e3", "count"), ("9" * 400, "count"), ("9223372036854775808", "count"),
     ("", "count"), ("3.5", "count")],
)  # fmt: skip
def test_a_bad_count_in_xml_refuses_its_row(value: str, code: str) -> None:
    push = read(samples.hikvision("timeRange", samples.RANGE, enter=value))
    assert refusals(push) == [(0, "peopleCounting/enter", code)]


def test_three_point_nought_is_three() -> None:
    document = deepcopy(samples.VIVOTEK)
    document["Data"][0]["CountingInfo"][0]["In"] = 3.0
    assert rows(read(document))[0][0][3] == 3


@pytest.mark.parametrize(
    ("value", "code"),
    [("yesterday", "time"), ("", "time"), (None, "time"), (True, "time"), (10**40, "time"), ({}, "time"),
     ("1969-12-31T23:59:59Z", "too-old"), ("9999-12-31T23:59:59-14:00", "future"), ("2026-02-30T00:00:00Z", "time"),
     ("0000-01-01T00:00:00Z", "time"), ("2026-03-02T25:00:00", "time"), (-(10**15), "time")],
)  # fmt: skip
def test_a_time_that_is_none_refuses_its_row(value: object, code: str) -> None:
    document = deepcopy(samples.VIVOTEK)
    document["Data"][0]["CountingInfo"][0]["StartTime"] = value
    ((_, field, found),) = refusals(read(document))
    assert field == "Data/0/CountingInfo/0/StartTime"
    assert found == code


def test_a_push_has_not_more_rows_than_others() -> None:
    document = deepcopy(samples.VIVOTEK)
    document["Data"][0]["CountingInfo"] *= 10_001
    with pytest.raises(Misshapen, match="10000 rows at most"):
        read(document)


@pytest.mark.parametrize("raw", [b"[" * 1_000_000, b'{"a":' * 1_000_000, b'{"CountLogs":' + b"[" * 1_000_000])
def test_a_million_nested_arrays_are_refused(raw: bytes) -> None:
    with pytest.raises(UnreadablePush):
        read(raw)


NAMES = st.sampled_from(
    ["Data", "Source", "CountLogs", "Counts", "Tags", "items", "logics", "records", "counts", "frames", "events",
     "measurements", "data", "sensor", "kind", "from", "to", "time", "value", "name", "attributes", "CountingInfo",
     "RuleType", "element", "measurement", "label", "serial", "in", "out", "timestamp"]
)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
    | st.sampled_from(["Counting", "people-counts", "fw", "2026-03-02T09:00:00", "2026-10-25 02:30:00", 1e308, -1]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=6,
)  # fmt: skip


def _with(document: Any, path: list[int], value: object) -> Any:
    """The document with something else at some place of it."""
    if not path or not isinstance(document, (dict, list)) or not document:
        return value
    keys = list(document) if isinstance(document, dict) else list(range(len(document)))
    changed, key = deepcopy(document), keys[path[0] % len(keys)]
    changed[key] = _with(document[key], path[1:], value)
    return changed


@settings(max_examples=300)
@given(st.sampled_from([one for one, _, _ in DOCUMENTS]), st.lists(st.integers(0, 5), max_size=8), VALUES)
def test_whatever_stands_in_a_vendors_push_each_row_is_taken_refused_or_ignored(
    document: Any, path: list[int], value: object
) -> None:
    try:
        push = read(_with(document, path, value))
    except RmapError:
        return
    told = len(push.records) + len(push.refused)
    intervals, readings = settle(push, "door", profile())
    members = sum(len(one.members.get(row, (row,))) for one in (intervals, readings) for row, _ in one.taken)
    assert members + len(intervals.refused) + push.ignored >= told


@settings(max_examples=400)
@given(st.sampled_from([b"", b"<", b"{", b"--x\r\n\r\n", b"start,in,out\n", b"<a>", b"\xff\xfe", b'"']), st.binary())
def test_bytes_of_any_kind_are_a_push_or_told_off(head: bytes, raw: bytes) -> None:
    for columns in (None, Columns(start="start", entries="in", delimiter=";", time_format="%d.%m.%y")):
        try:
            settle(recognise.read(head + raw, None, columns), "door", profile())
        except RmapError:
            continue


def _real() -> Path:
    folder = DATA / "vendor_payloads"
    if not folder.is_dir():
        pytest.skip(MISSING + "vendor_payloads: real pushes are not part of the project")
    return folder


@pytest.mark.parametrize(
    ("name", "form", "counted"),
    [
        ("akenza_axis_peopleCounter_01.json", "axis-retail-data", (1, 0, 1, 2)),
        ("akenza_xovis_PC2SV5_01.json", "xovis-5-live", (0, 0, 0, 0)),
        ("akenza_xovis_PC2SV5_02.json", "xovis-5-status", (0, 0, 0, 0)),
        ("akenza_xovis_PC2SV5_03.json", "xovis-5-logics", (4, 0, 4, 1)),
        ("akenza_xovis_PC2SV5_04.json", "xovis-5-logics", (4, 0, 1, 0)),
        ("axis_live_sum.json", "axis-live", (0, 1, 12, 318)),
        ("axis_p8815_export.csv", "csv", (3, 0, 0, 0)),
        ("hikvision_timerange.xml", "hikvision-xml", (1, 0, 0, 0)),
        ("irisys_vector_http_post.json", "irisys-vector", (2, 0, 1, 1)),
        ("vivotek_sc8131.json", "vivotek-json", (2, 0, 1, 4)),
    ],
)
def test_a_real_push_is_read(name: str, form: str, counted: tuple[int, int, int, int]) -> None:
    push = read((_real() / name).read_bytes())
    assert push.form == form
    intervals, readings = settle(push, "door", profile())
    assert intervals.refused == []
    both = [row for _, row in intervals.taken] + [row for _, row in readings.taken]
    sums = (sum(row.entries for row in both), sum(row.exits for row in both))
    assert (len(intervals.taken), len(readings.taken), *sums) == counted
