"""Small pushes in the vendors' public shapes, made up for these tests."""

from typing import Any

AXIS_LIVE: dict[str, Any] = {
    "serial": "ACCC8E000001", "name": "South door", "timestamp": "20260302101500", "in": 12, "out": 9,
}  # fmt: skip
AXIS_RETAIL: dict[str, Any] = {
    "apiName": "Axis Retail Data",
    "apiVersion": "0.4",
    "data": {
        "measurements": [
            {
                "kind": "people-counts",
                "utcFrom": "2026-03-02T09:00:00Z",
                "utcTo": "2026-03-02T09:15:00Z",
                "localFrom": "2026-03-02T10:00:00",
                "localTo": "2026-03-02T10:15:00",
                "items": [{"direction": "in", "count": 4}, {"direction": "out", "count": 2}],
            },
            {"kind": "queue", "items": []},
        ]
    },
    "sensor": {"serial": "acccde000002", "timeZone": "Europe/Berlin"},
}
_NINE = 1772442000000
"""2026-03-02T09:00:00Z in milliseconds."""


def _xovis_records(*values: tuple[int, int]) -> list[dict[str, Any]]:
    return [
        {
            "from": _NINE + 60_000 * minute,
            "to": _NINE + 60_000 * (minute + 1),
            "counts": [{"id": 1, "name": "fw", "value": fw}, {"id": 2, "name": "bw", "value": bw}],
        }
        for minute, (fw, bw) in enumerate(values)
    ]


_SENSOR_INFO = {"serial_number": "00:6E:02:00:00:03", "type": "SINGLE_SENSOR"}
XOVIS_LOGICS: dict[str, Any] = {
    "logics_data": {
        "package_info": {"version": "5.0", "id": 1, "agent_id": 2},
        "sensor_info": _SENSOR_INFO,
        "logics": [
            {"id": 1, "name": "Door", "info": "XLT_4X_LINE_IN_OUT_COUNT", "records": _xovis_records((3, 1), (0, 2))},
            {
                "id": 2,
                "name": "Hall",
                "info": "XLT_4X_ZONE_COUNT",
                "records": [{"from": _NINE, "to": _NINE + 60_000, "counts": [{"name": "balance", "value": -2}]}],
            },
        ],
    }
}
XOVIS_LIVE: dict[str, Any] = {
    "live_data": {
        "sensor_info": _SENSOR_INFO,
        "frames": [
            {
                "time": _NINE + 7,
                "events": [
                    {"type": "LINE_CROSS_FORWARD", "attributes": {"geometry_id": 1, "geometry_name": "Door"}},
                    {"type": "LINE_CROSS_FORWARD", "attributes": {"geometry_id": 1, "geometry_name": "Door"}},
                    {"type": "TRACK_CREATE", "attributes": {"track_id": 4}},
                ],
            },
            {"time": _NINE + 90, "tracked_objects": []},
        ],
    }
}
XOVIS_STATUS: dict[str, Any] = {"status_data": {"sensor_info": _SENSOR_INFO, "states": {}}}
XOVIS_4: dict[str, Any] = {
    "sensor-info": {"serial-number": "00:6E:02:00:00:04"},
    "content": {
        "element": [
            {
                "element-id": 7,
                "element-name": "Line 1",
                "measurement": [
                    {
                        "from": "2026-03-02T10:00:00+01:00",
                        "to": "2026-03-02T10:15:00+01:00",
                        "value": [{"label": "fw", "value": 5}, {"label": "bw", "value": 6}],
                    }
                ],
            }
        ]
    },
}
IRISYS: dict[str, Any] = {
    "CountLogs": [
        {
            "StartTimestamp": "2026-03-02T09:00:00Z",
            "Timestamp": "2026-03-02T09:01:00Z",
            "Counts": [
                {"Name": "In", "LogPeriodValue": 2, "Value": 900, "Tags": ["direction=IN"], "RegisterId": 0},
                {"Name": "Out", "LogPeriodValue": 1, "Value": 850, "Tags": ["direction=OUT"], "RegisterId": 1},
            ],
        }
    ],
    "FriendlyDeviceSerial": "V4D-00000005",
    "HistogramLogs": [{}],
}
VIVOTEK: dict[str, Any] = {
    "Source": {"MacAddress": "00:02:D1:00:00:06"},
    "Data": [
        {
            "RuleType": "Counting",
            "CountingInfo": [
                {"RuleName": "Door", "In": 1, "Out": 2, "StartTime": "2026-03-02T09:00:00Z",
                 "EndTime": "2026-03-02T09:15:00Z"},
            ],
        },
        {"RuleType": "Occupancy"},
    ],
}  # fmt: skip

VIVOTEK_CSV = """RuleName,StartTime,EndTime,In,Out
Door,2026-03-02 10:00:00,2026-03-02 10:15:00,1,2
Hall,2026-03-02 10:00:00,2026-03-02 10:15:00,0,3
"""


def hikvision(method: str, times: str, enter: str = "3", leave: str = "1", head: str = "") -> bytes:
    return f"""<?xml version="1.0" encoding="UTF-8"?>{head}
    <EventNotificationAlert version="2.0" xmlns="urn:psialliance-org"><macAddress>44:47:cc:00:00:07</macAddress>
    <channelID>1</channelID><dateTime>2026-03-02T10:15:00+01:00</dateTime><eventType>PeopleCounting</eventType>
    <peopleCounting><statisticalMethods>{method}</statisticalMethods>{times}<enter>{enter}</enter><exit>{leave}</exit>
    </peopleCounting></EventNotificationAlert>""".encode()


RANGE = (
    "<TimeRange><startTime>2026-03-02T10:00:00+01:00</startTime>"
    "<endTime>2026-03-02T10:15:00+01:00</endTime></TimeRange>"
)

_BEGINS = {"from", "utcFrom", "localFrom", "StartTimestamp", "time"}
_ENDS = {"to", "utcTo", "localTo", "Timestamp"}


def at(document: Any, start: str | int, end: str | int) -> Any:
    """The push as it is of another interval: every beginning and end in it."""
    if isinstance(document, list):
        return [at(one, start, end) for one in document]
    if not isinstance(document, dict):
        return document
    times = dict.fromkeys(_BEGINS, start) | dict.fromkeys(_ENDS, end)
    return {name: times[name] if name in times else at(one, start, end) for name, one in document.items()}
