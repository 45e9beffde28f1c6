"""The door as devices use it: any bytes at any of its addresses are taken or told off, and nothing is lost between."""

import base64
import gzip
import json
import zlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from threading import Barrier
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.sites.model import Calibration, Columns, Line, Setup
from tenant_context.clock import rfc3339
from tests.functions.door import COUNTS, NOW, OWN, VENDORS, World
from tests.shared.vendors import samples


@pytest.fixture
def world() -> World:
    return World()


def test_a_users_token_is_told_what_the_door_takes(world: World) -> None:
    bearer = {"x-api-key": "", "authorization": "Bearer eyJhbGciOiJFUzI1NiJ9.e30.c2ln"}
    status, problem = world.post(COUNTS, {"items": [OWN]}, **bearer)
    assert (status, problem["code"]) == (401, "unauthenticated")
    assert problem["detail"] == "This address takes API keys with ingest.write only, and no user's token."
    status, problem = world.post(COUNTS, {"items": [OWN]}, **{"x-api-key": "rmap_wrong"})
    assert (status, "no user's token" in problem["detail"]) == (401, False)


def test_a_vendors_push_is_queued_as_counts(world: World) -> None:
    sensor = world.add("00:02:D1:00:00:06")
    status, answer = world.post(VENDORS, samples.VIVOTEK)
    assert status == 202
    assert {name: answer[name] for name in ("vendor", "format", "accepted", "rejected_count", "ignored")} == {
        "vendor": "vivotek", "format": "vivotek-json", "accepted": 1, "rejected_count": 0, "ignored": 1,
    }  # fmt: skip
    assert world.rows() == [[str(sensor), "Door", "2026-03-02T09:00:00Z", "2026-03-02T09:15:00Z", 1, 2]]


@pytest.mark.parametrize("path", [f"{VENDORS}/vivotek", "/api/v1/ingest/vivotek"])
def test_a_vendor_has_addresses_of_its_own(world: World, path: str) -> None:
    world.add("000281310008", "00:02:D1:00:00:06")
    assert world.post(path, samples.VIVOTEK)[1]["accepted"] == 1
    status, problem = world.post(path.replace("vivotek", "xovis"), samples.VIVOTEK)
    assert (status, problem["code"]) == (422, "unrecognised-push")
    assert world.post(path.replace("vivotek", "nobody"), samples.VIVOTEK)[0] == 404


def test_a_vendors_csv_is_taken_at_its_address(world: World) -> None:
    sensor = world.add("door-9")
    answer = world.post("/api/v1/ingest/vivotek", samples.VIVOTEK_CSV, "text/csv", "sensor=door-9")[1]
    assert (answer["vendor"], answer["format"], answer["accepted"]) == ("vivotek", "csv", 2)
    assert world.rows() == [
        [str(sensor), "Door", "2026-03-02T09:00:00Z", "2026-03-02T09:15:00Z", 1, 2],
        [str(sensor), "Hall", "2026-03-02T09:00:00Z", "2026-03-02T09:15:00Z", 0, 3],
    ]
    status, problem = world.post("/api/v1/ingest/vivotek", samples.VIVOTEK_CSV, "text/csv")
    assert (status, problem["code"]) == (422, "sensor-needed")


def test_a_vendors_push_is_held_to_the_rows_of_the_day(world: World) -> None:
    world.add("00:02:D1:00:00:06")
    world.rows_left = 1
    assert world.post(VENDORS, samples.VIVOTEK)[0] == 202
    status, problem = world.post(VENDORS, samples.VIVOTEK)
    assert (status, problem["code"], problem["limit"]) == (429, "limit-reached", "events_per_day")
    assert len(world.rows()) == 1


def test_rows_that_the_queue_did_not_take_are_not_counted(world: World) -> None:
    world.add("00:02:D1:00:00:06")
    world.rows_left, world.queue.failing = 1, True
    assert world.post(VENDORS, samples.VIVOTEK)[0] == 503
    assert world.rows_left == 1


def test_a_standing_is_queued_as_one(world: World) -> None:
    sensor = world.add("ACCC8E000001")
    assert world.post(VENDORS, samples.AXIS_LIVE)[1]["accepted"] == 1
    assert world.rows() == [[str(sensor), "", "2026-03-02T09:15:00Z", 12, 9, "2026-03-01T23:00:00Z"]]


def test_a_counter_of_the_day_tells_its_midnight_and_others_none(world: World) -> None:
    zone = "America/New_York"
    world.add("daily", zone=zone, setup=Setup(counting="cumulative", resets="daily"))
    world.add("utc", zone=zone, setup=Setup(counting="cumulative", resets="daily", times="utc"))
    world.add("steady", zone=zone, setup=Setup(counting="cumulative"))
    world.add("ACCC8E000001", setup=Setup(resets="never"))
    world.post(COUNTS, {"counts": [{**OWN, "sensor": one} for one in ("daily", "utc", "steady")]})
    world.post(VENDORS, samples.AXIS_LIVE)
    assert [row[5:] for row in world.rows()] == [["2026-03-02T05:00:00Z"], ["2026-03-02T00:00:00Z"], [], []]


def test_a_standing_at_midnight_is_of_the_day_before_also_when_clocks_change() -> None:
    daily = Setup(resets="daily")
    for at, zone, since in (
        ("2026-03-02T00:00:00+01:00", "Europe/Berlin", "2026-03-01T00:00:00+01:00"),
        ("2026-10-25T12:00:00+01:00", "Europe/Berlin", "2026-10-25T00:00:00+02:00"),
        ("2026-09-06T12:00:00-03:00", "America/Santiago", "2026-09-06T01:00:00-03:00"),  # there is no midnight
    ):
        assert daily.begun(zone, datetime.fromisoformat(at)) == datetime.fromisoformat(since)
    assert daily.begun("", NOW) is None


def test_a_device_that_knows_passwords_only_sends_its_key_as_one(world: World) -> None:
    def asked(authorization: str) -> int:
        return world.post(VENDORS, samples.XOVIS_STATUS, **{"x-api-key": "", "authorization": authorization})[0]

    assert asked("Basic " + base64.b64encode(b"camera:k").decode()) == 202
    assert asked("basic " + base64.b64encode(b":k").decode()) == 202
    for wrong in ("", "Basic", "Basic =", "Basic " + base64.b64encode(b"k").decode(), "Basic " + "/w==", "Digest k"):
        assert asked(wrong) == 401


def test_a_push_without_counts_needs_no_batch(world: World) -> None:
    status, answer = world.post(VENDORS, samples.XOVIS_STATUS)
    assert (status, answer["batch"], answer["ignored"], world.queue.messages) == (202, None, 1, [])


def test_an_unknown_sensors_rows_are_refused_and_kept(world: World) -> None:
    status, answer = world.post(VENDORS, samples.VIVOTEK)
    assert (status, answer["accepted"], [one["code"] for one in answer["rejected"]]) == (202, 0, ["unknown-sensor"])
    (message,) = world.queue.messages
    kept = message.data["refused"][0]["content"]
    assert kept["sensor"] == "00:02:D1:00:00:06"
    assert kept["start"] == "2026-03-02T09:00:00+00:00"


def test_the_address_names_the_sensor_where_the_push_does_not(world: World) -> None:
    world.add("door-9", setup=Setup(counts_from="events"))
    nameless = {"live_data": {**samples.XOVIS_LIVE["live_data"], "sensor_info": {}}}
    status, problem = world.post(VENDORS, nameless)
    assert (status, problem["code"]) == (422, "sensor-needed")
    assert world.post(VENDORS, nameless, query="sensor=door-9")[1]["accepted"] == 1
    assert world.post(VENDORS, nameless, query="door=9")[0] == 422


def test_a_csv_is_read_by_its_sensors_mapping(world: World) -> None:
    columns = Columns(start="Zeit", entries="Zugang", time_format="%d.%m.%Y %H:%M")
    sensor = world.add("door-9", setup=Setup(csv=columns))
    text = "Zeit;Zugang\n02.03.2026 10:00;4\n02.03.2026 10:15;x\n"
    for path in (COUNTS, VENDORS):
        answer = world.post(path, text, "text/csv", "sensor=door-9")[1]
        assert (answer["accepted"], answer["rejected_count"]) == (1, 1)
    assert world.rows()[0] == [str(sensor), "", "2026-03-02T09:00:00Z", "2026-03-02T09:15:00Z", 4, 0]


def test_own_counts_follow_the_setup_as_well(world: World) -> None:
    calibrations = [Calibration(NOW - timedelta(days=30), Decimal(2))]
    world.add("door", setup=Setup(calibrations=calibrations))
    counter = world.add("counter", setup=Setup(counting="cumulative"))
    answer = world.post(COUNTS, {"counts": [OWN, {**OWN, "sensor": "counter"}, {**OWN, "sensor": "counter"}]})[1]
    assert (answer["accepted"], answer["duplicates"]) == (2, 1)
    assert world.rows()[0][4:] == [6, 4, 3, 2]  # calibrated, and as they were counted
    assert world.rows()[1][3:] == [3, 2]
    assert world.rows()[1][:3] == [str(counter), "", "2026-03-02T09:15:00Z"]


def test_own_counts_follow_their_lines_as_vendors_do(world: World) -> None:
    lines = {
        "back": Line(direction="reversed"), "up": Line(direction="in", name="stairs"),
        "down": Line(direction="out", name="stairs"), "street": Line(direction="ignored"),
    }  # fmt: skip
    door = world.add("door", "door-id", setup=Setup(lines=lines))
    world.add("plain")
    sent = [
        *({**OWN, "line": line} for line in ("back", "up", "down", "street", "side", "up")),
        {**OWN, "sensor": "door-id", "line": "down"}, {**OWN, "sensor": "plain", "line": "back"},
    ]  # fmt: skip
    text = "sensor,line,start,end,entries,exits\n" + "".join(
        f"{one['sensor']},{one['line']},{one['start']},{one['end']},{one['entries']},{one['exits']}\n" for one in sent
    )
    for content_type, body in (("application/json", {"counts": sent}), ("text/csv", text)):
        world.queue.messages.clear()
        answer = world.post(COUNTS, body, content_type)[1]
        told = {name: answer[name] for name in ("accepted", "duplicates", "rejected_count", "ignored")}
        assert told == {"accepted": 5, "duplicates": 2, "rejected_count": 0, "ignored": 1}
        assert [row[1:2] + row[4:] for row in world.rows()] == [
            ["back", 2, 3], ["stairs", 5, 5], ["side", 3, 2], ["back", 3, 2],
        ]  # fmt: skip
        assert {row[0] for row in world.rows()[:3]} == {str(door)}


def test_standings_of_own_pushes_follow_their_lines_too(world: World) -> None:
    world.add("door", setup=Setup(counting="cumulative", lines={"": Line(direction="reversed", name="front")}))
    world.post(COUNTS, {"counts": [OWN]})
    assert [row[1:] for row in world.rows()] == [["front", "2026-03-02T09:15:00Z", 2, 3]]


def test_nothing_is_acknowledged_that_the_queue_does_not_have(world: World) -> None:
    world.add("door", "00:02:D1:00:00:06")
    world.queue.failing = True
    assert world.post(COUNTS, {"counts": [OWN]})[0] == 503
    assert world.post(VENDORS, samples.VIVOTEK)[0] == 503


@pytest.mark.parametrize(
    ("moment", "code"),
    [(datetime(1970, 1, 1, tzinfo=UTC), "too-old"), (datetime(2036, 2, 7, tzinfo=UTC), "future"),
     (NOW + timedelta(days=7), "future")],
)  # fmt: skip
def test_a_wrong_clock_is_told_in_every_format(world: World, moment: datetime, code: str) -> None:
    serials = ("ACCC8E000001", "ACCCDE000002", "V4D-00000005", "00:6E:02:00:00:04")
    world.add("door", "00:02:D1:00:00:06", "44:47:cc:00:00:07", *serials)
    world.add("mapped", setup=Setup(csv=Columns(start="Zeit", entries="Zugang", time_format="%d.%m.%Y %H:%M")))
    world.add("00:6E:02:00:00:03")
    world.add("live", setup=Setup(counts_from="events"))
    start, end = rfc3339(moment), rfc3339(moment + timedelta(minutes=15))
    since, until = (1000 * int(one.timestamp()) for one in (moment, moment + timedelta(minutes=15)))
    live = {**samples.XOVIS_LIVE["live_data"], "sensor_info": {"serial_number": "live"}}
    spoken = f"<TimeRange><startTime>{start}</startTime><endTime>{end}</endTime></TimeRange>"
    as_csv = f"sensor,start,end,entries,exits\ndoor,{start},{end},3,2\n"
    info = {**samples.VIVOTEK["Data"][0]["CountingInfo"][0], "StartTime": start, "EndTime": end}
    pushes: list[tuple[str, object]] = [
        (f"{COUNTS} csv", as_csv),
        (f"{COUNTS} csv sensor=mapped", f"Zeit;Zugang\n{moment:%d.%m.%Y %H:%M};4\n"),
        (f"{VENDORS} csv sensor=door", samples.VIVOTEK_CSV.splitlines()[0] + f"\nDoor,{start},{end},1,2\n"),
        (VENDORS, samples.at(samples.XOVIS_LOGICS, since, until)),
        (VENDORS, samples.at({"live_data": live}, since, until)),
        (VENDORS, samples.at(samples.XOVIS_4, start, end)),
        (VENDORS, samples.at(samples.IRISYS, start, end)),
        (VENDORS, samples.at(samples.AXIS_RETAIL, start, end)),
        (VENDORS, samples.hikvision("timeRange", spoken)),
        (COUNTS, {"counts": [{**OWN, "start": start, "end": end}]}),
        (VENDORS, {**samples.VIVOTEK, "Data": [{"RuleType": "Counting", "CountingInfo": [info]}]}),
        (VENDORS, {**samples.AXIS_LIVE, "timestamp": f"{moment:%Y%m%d%H%M%S}"}),
        (VENDORS, samples.hikvision("realTime", f"<RealTime><time>{start}</time></RealTime>")),
    ]
    for address, push in pushes:
        path, kind, query = (*address.split(), "", "")[:3]
        status, answer = world.post(path, push, "text/csv" if kind else "application/json", query)
        told = {one["code"] for one in answer["rejected"]}
        assert (status, answer["accepted"], told) == (202, 0, {code}), (address, answer)
    assert world.rows() == []


@pytest.mark.parametrize("path", [COUNTS, VENDORS])
def test_the_same_push_fifty_times_at_once_is_taken_each_time_with_its_rows_said_once(world: World, path: str) -> None:
    sensor = world.add("door", "00:02:D1:00:00:06")
    other = {**OWN, "line": "side"}
    push = {"counts": [OWN, other, OWN]} if path == COUNTS else samples.VIVOTEK
    sandboxes = [World(world.sensors, queue=world.queue) for _ in range(50)]
    begin = Barrier(50)

    def once(sandbox: World) -> tuple[int, dict[str, Any]]:
        begin.wait(timeout=60)
        return sandbox.post(path, push)

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(once, sandboxes))
    rows, doubled = (2, 1) if path == COUNTS else (1, 0)
    assert [(status, one["accepted"], one["duplicates"]) for status, one in answers] == [(202, rows, doubled)] * 50
    queued = [json.loads(message.encode())["data"] for message in world.queue.messages]
    assert sorted(data["batch"] for data in queued) == sorted({one["batch"] for _, one in answers})
    [said] = {json.dumps(data["rows"]) for data in queued}
    lines = ["", "side"] if path == COUNTS else ["Door"]
    assert [row[:2] for row in json.loads(said)] == [[str(sensor), line] for line in lines]


@pytest.mark.parametrize("said", ["application/gzip", "application/octet-stream", "Application/GZIP; x=y"])
def test_what_is_packed_is_known_by_what_it_is(world: World, said: str) -> None:
    world.add("door")
    start, end = rfc3339(NOW - timedelta(hours=1)), rfc3339(NOW - timedelta(minutes=45))
    as_json = json.dumps({"counts": [{**OWN, "start": start, "end": end}]})
    as_csv = f"\ufeffsensor,start,end,entries,exits\ndoor,{start},{end},1,1\n"
    headers = {"content-type": said} | ({} if "gzip" in said.lower() else {"content-encoding": "gzip"})
    for text in (as_json, f" \n{as_json}", as_csv):
        status, answer = world.post(COUNTS, gzip.compress(text.encode()), **headers)
        assert (status, answer["accepted"]) == (202, 1), text
    assert world.post(COUNTS, as_json.encode(), **{"content-type": "application/octet-stream"})[0] == 415
    assert world.post(COUNTS, gzip.compress(b"<a/>"), **headers)[0] == 415
    status, problem = world.post(COUNTS, as_json.encode(), **{**headers, "content-encoding": "gzip"})
    assert (status, "application/gzip" in problem["detail"]) == (400, True)


def test_gzip_is_unpacked_within_bounds_and_deflate_is_refused(world: World) -> None:
    world.add("00:02:D1:00:00:06")
    raw = json.dumps(samples.VIVOTEK).encode()
    packed = {"content-encoding": "gzip"}
    assert world.post(VENDORS, gzip.compress(raw), **packed)[1]["accepted"] == 1
    assert world.post(VENDORS, gzip.compress(b" " * 6_000_000), **packed)[0] == 413
    # Below the limit, but no device's counts pack a thousandfold.
    assert world.post(VENDORS, gzip.compress(b" " * 4_000_000), **packed)[0] == 413
    assert world.post(VENDORS, gzip.compress(gzip.compress(b" " * 10**7)), **packed)[0] == 400
    assert world.post(VENDORS, gzip.compress(raw)[:-9], **packed)[0] == 400
    status, problem = world.post(VENDORS, zlib.compress(raw), **{"content-encoding": "deflate"})
    assert (status, problem["detail"]) == (415, "Content-Encoding may be gzip or left out.")


def test_a_month_comes_in_one_push_and_a_push_has_an_end(world: World) -> None:
    world.add("door")
    start = NOW - timedelta(days=31)
    rows = [
        {**OWN, "start": rfc3339(start + timedelta(minutes=15 * step)),
         "end": rfc3339(start + timedelta(minutes=15 * step + 15))}
        for step in range(31 * 96)
    ]  # fmt: skip
    assert world.post(COUNTS, {"counts": rows})[1]["accepted"] == len(rows)
    assert len(world.rows()) == len(rows)
    assert world.post(COUNTS, {"counts": [OWN] * 10_001})[0] == 422


TYPES = st.sampled_from(["application/json", "text/csv", "application/xml", "text/plain", "multipart/form-data", ""])
PATHS = st.sampled_from([COUNTS, VENDORS, f"{VENDORS}/axis", "/api/v1/ingest/hikvision", "/api/v1/ingest/transactions"])
HEADS = st.sampled_from(
    [b"", b"<a>", b"{", b"[", b'{"counts":[', b"--b\r\n\r\n", b"start,in,out\n", b"\xef\xbb\xbf", b"\x1f\x8b",
     b"sensor,start,end,entries,exits\ndoor,", json.dumps(samples.IRISYS).encode()[:-1], samples.hikvision("", "")]
)  # fmt: skip


@settings(max_examples=400)
@given(
    PATHS, TYPES, HEADS, st.binary(max_size=80), st.sampled_from(["identity", "gzip", "deflate", "br"]), st.booleans()
)
def test_no_bytes_at_all_are_our_fault(
    path: str,
    content_type: str,
    head: bytes,
    tail: bytes,
    encoding: str,
    named: bool,  # noqa: FBT001  hypothesis calls it
) -> None:
    world = World()
    world.add("door", "V4D-00000005", "44:47:cc:00:00:07")
    query = "sensor=door" if named else ""
    status, answer = world.post(path, head + tail, content_type, query, **{"content-encoding": encoding})
    assert status < 500, answer
    if status == 202:
        told = answer["accepted"] + answer["duplicates"] + answer["rejected_count"] + answer.get("ignored", 0)
        assert told > 0 or answer["vendor"]  # a device may well have nothing to say


def test_silence_is_no_row_of_the_push_and_counts_as_none(world: World) -> None:
    sensor = world.add("00:6E:02:00:00:03", setup=Setup(counts_from="events", lines={"Hall": Line()}))
    world.rows_left = 1
    answer = world.post(VENDORS, samples.XOVIS_LIVE)[1]
    assert (answer["accepted"], answer["duplicates"], answer["rejected"]) == (1, 0, [])
    assert [[row[0], row[1], *row[4:]] for row in world.rows()] == [
        [str(sensor), "Door", 2, 0], [str(sensor), "Door", 0, 0], [str(sensor), "Hall", 0, 0],
    ]  # fmt: skip


def test_a_device_that_only_shows_that_it_is_there_is_heard_and_covers_its_lines_now(world: World) -> None:
    sensor = world.add("00:6E:02:00:00:03", setup=Setup(counts_from="events", lines={"Hall": Line()}))
    frames = [{"time": int(NOW.timestamp() * 1000), "tracked_objects": []}]
    answer = world.post(VENDORS, {"live_data": {**samples.XOVIS_LIVE["live_data"], "frames": frames}})[1]
    assert (answer["accepted"], answer["rejected"]) == (0, [])
    (message,) = world.queue.messages
    data = json.loads(message.encode())["data"]
    assert [row[2:4] for row in data["rows"]] == [["2026-03-03T12:00:00Z", "2026-03-03T12:15:00Z"]]
    assert [beat[:2] for beat in data["beats"]] == [[str(sensor), "2026-03-03T12:00:00Z"]]


def test_what_covers_a_time_that_cannot_be_is_told_to_nobody(world: World) -> None:
    world.add("00:6E:02:00:00:03", setup=Setup(counts_from="events", lines={"Hall": Line()}))
    for moment in (NOW + timedelta(days=2), datetime(1999, 1, 1, tzinfo=UTC)):
        frames = [{"time": int(moment.timestamp() * 1000), "tracked_objects": []}]
        answer = world.post(VENDORS, {"live_data": {**samples.XOVIS_LIVE["live_data"], "frames": frames}})[1]
        assert (answer["accepted"], answer["rejected"], world.rows()) == (0, [], [])
