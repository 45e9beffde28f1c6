"""What receivers get of an event, and which filters it passes.

The body is the envelope of the bus, a CloudEvents 1.0 event in JSON: `time` also under the name that Standard Webhooks
gives it, `timestamp`, and `dataschema`, which says which version of the type's schema its data has.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from shared.events.model import EventType
from shared.events.rules.catalogue import AREAS, BY_NAME, CATALOGUE, TENANT
from shared.events.rules.schemas import body_schema, identifier

PAYLOAD_VERSIONS = (1,)
"""The forms of bodies that an endpoint may ask for. A second one comes with the first type that has a version 2."""
_EXAMPLES_ID = "0193a0c2-9999-7c11-8f5a-3d2e9b1c4a60"
_IDS = ("id", "batch", "prefix", "endpoint", "user", "role", "domain", "site_id")


def is_filter(text: str) -> bool:
    """Whether a subscription may say this: a type of the catalogue, `<area>.*` or `*`."""
    area, _, rest = text.partition(".")
    return text == "*" or text in BY_NAME or (rest == "*" and area in AREAS)


def filters_of(kind: str) -> tuple[str, ...]:
    """Every filter that an event of a type passes: `campaign.launched` passes itself, `campaign.*` and `*`."""
    return (kind, f"{kind.partition('.')[0]}.*", "*")


def delivered(envelope: Mapping[str, Any]) -> dict[str, Any]:
    """What receivers get of an event on the bus."""
    name = str(envelope["type"])
    version = BY_NAME[name].version if name in BY_NAME else 1
    return {**envelope, "timestamp": envelope["time"], "dataschema": identifier(name, version)}


def thin(body: Mapping[str, Any], address: str) -> dict[str, Any]:
    """The same without its data; CloudEvents' extension `dataref` says where the whole can be read."""
    return {**{name: value for name, value in body.items() if name != "data"}, "dataref": address}


@lru_cache(maxsize=1)
def catalogue_document() -> list[dict[str, Any]]:
    """The catalogue as the API shows it."""
    return [type_document(kind) for kind in CATALOGUE]


def type_document(kind: EventType) -> dict[str, Any]:
    """One type as the API shows it: with the schema of the whole body that a receiver gets, and an example of it."""
    return {
        "type": kind.name,
        "area": kind.area,
        "version": kind.version,
        "description": kind.description,
        "subject": kind.subject,
        "schema": body_schema(kind),
        "example": _example(kind),
    }


def _example(kind: EventType) -> dict[str, Any]:
    name, _, _ = kind.subject.partition("/")
    subject = next((kind.example[name] for name in _IDS if name in kind.example), TENANT)
    return delivered(
        {
            "specversion": "1.0",
            "id": _EXAMPLES_ID,
            "type": kind.name,
            "source": "rmap",
            "subject": f"{name}/{subject}",
            "time": "2026-03-01T09:30:00Z",
            "tenant": TENANT,
            "data": dict(kind.example),
        }
    )
