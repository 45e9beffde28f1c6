"""Bodies are CloudEvents, judged by the rules of CloudEvents 1.0.2 itself and not by our schemas.

The rules of names and types of attributes are written out here from the specification and its JSON format, as no judge
of others is installed: what reads by the specification alone finds nothing wrong. That a library takes a body is not
shown by it.
"""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest

from shared.events.model import EventType
from shared.events.rules.bodies import delivered, thin, type_document
from shared.events.rules.catalogue import CATALOGUE
from tenant_context.events import Event

_REQUIRED = ("id", "source", "specversion", "type")
_NAME = re.compile(r"[a-z0-9]{1,20}")
"""Lower-case letters and digits; not more than twenty, which is a SHOULD."""
_REFERENCE = re.compile(r"(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+")
"""What a URI-reference is made of (RFC 3986), non-empty."""
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:.+")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
_NO_TEXT = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef]")
"""Control characters, halves of pairs and what Unicode says is no character."""
_INTEGERS = range(-(2**31), 2**31)
_WHOLE = type_document(CATALOGUE[0])["example"]


def faults(event: dict[str, Any]) -> list[str]:
    """What CloudEvents 1.0 has against an event in JSON, in words."""
    found = [f"{name} is missing" for name in _REQUIRED if name not in event]
    attributes = {name: value for name, value in event.items() if name not in {"data", "data_base64"}}
    found += [f"{name} is no name" for name in attributes if not _NAME.fullmatch(name)]
    found += [f"{name} has no type" for name, value in attributes.items() if not _is_typed(value)]
    texts = {name: str(value) for name, value in attributes.items()}
    for name in ("id", "type", "subject"):
        if not (isinstance(event.get(name, "x"), str) and texts.get(name, "x")):
            found.append(f"{name} is no text that says something")
    for name, form in (("source", _REFERENCE), ("dataref", _REFERENCE), ("dataschema", _URI), ("time", _TIME)):
        if name in texts and not form.fullmatch(texts[name]):
            found.append(f"{name} is written wrongly")
    if "dataschema" in texts and not _REFERENCE.fullmatch(texts["dataschema"]):
        found.append("dataschema is no URI")
    if "time" in texts and not _is_moment(texts["time"]):
        found.append("time is none")
    if event.get("specversion") != "1.0":
        found.append("specversion is another")
    if {"data", "data_base64"} <= set(event):
        found.append("data is there twice")
    return found


def _is_typed(value: object) -> bool:
    """Whether it is a Boolean, an Integer (32 bits) or a String, as which URIs and moments are written."""
    if isinstance(value, str):
        return not _NO_TEXT.search(value)
    return isinstance(value, int) and (isinstance(value, bool) or value in _INTEGERS)


def _is_moment(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


@pytest.mark.parametrize("kind", CATALOGUE, ids=lambda kind: kind.name)
def test_every_types_body_is_a_cloudevent_whole_or_as_its_notice(kind: EventType) -> None:
    example = type_document(kind)["example"]
    assert faults(example) == []
    notice = thin(example, "https://api.rmap.example/api/v1/webhooks/messages/0193a0c2/payload")
    assert (faults(notice), "data" in notice) == ([], False)


@pytest.mark.parametrize("moment", [datetime(2026, 3, 1, 9, 30, tzinfo=UTC), datetime(2026, 3, 1, 9, 30, 0, 5, UTC)])
def test_what_is_emitted_is_one_at_any_moment(moment: datetime) -> None:
    event = Event("campaign.launched", "campaign/1", {"id": "1", "of": [None, {"any": "JSON"}]})
    elsewhere = moment.astimezone(timezone(timedelta(hours=5, minutes=30)))
    for time in (moment, elsewhere):
        body = delivered(event.envelope(UUID(int=1), time))
        assert faults(body) == []
        assert datetime.fromisoformat(body["time"]) == moment


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": ""},
        {"id": 7},
        {"type": ""},
        {"subject": ""},
        {"source": ""},
        {"source": "our shop"},
        {"specversion": "1.1"},
        {"time": "2026-03-01 09:30:00Z"},
        {"time": "2026-03-01T09:30:00"},
        {"time": "2026-02-31T09:30:00Z"},
        {"dataschema": "campaign.launched"},
        {"tenant_id": "x"},
        {"dataSchema": "urn:x"},
        {"tenant": None},
        {"tenant": {"id": "x"}},
        {"tenant": "a\x07b"},
        {"tenant": 1.5},
        {"tenant": 2**31},
        {"data_base64": ""},
    ],
    ids=str,
)
def test_what_the_specification_does_not_allow_is_found(wrong: dict[str, Any]) -> None:
    assert faults({**_WHOLE, **wrong})


@pytest.mark.parametrize("name", _REQUIRED)
def test_what_has_to_be_there_is_missed(name: str) -> None:
    assert faults({key: value for key, value in _WHOLE.items() if key != name})
