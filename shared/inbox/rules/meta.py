"""What Meta tells: changes of objects (leads of a page, issues of an ad account), up to a thousand in a delivery.

Meta gives its notifications no ids and may send them again for 36 hours; what is the same is known by its content.
Source: Meta, "Webhooks from Meta" and "Webhooks: Getting Started".
"""

import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta

from shared.inbox.errors import NotSetUp, SignatureRefused
from shared.inbox.model import Entry
from shared.inbox.rules.reading import canonical, digest, fresh, json_object, moment, text
from tenant_context.errors import BadRequest, Invalid

WINDOW = timedelta(hours=48)
MOST = 1000
_LONGEST_CHALLENGE = 200


def read(body: bytes) -> list[Entry]:
    """An entry for each of the delivery's. Errors: BadRequest."""
    told = json_object(body)
    kind, parts = text(told, "object"), told.get("entry")
    if not isinstance(parts, list) or not 1 <= len(parts) <= MOST or not all(isinstance(part, dict) for part in parts):
        raise BadRequest(f"entry is no list of 1 to {MOST} objects.")
    entries = []
    for part in parts:
        content = canonical({"object": kind, "entry": [part]})
        about, fields = text(part, "id"), _fields(part)
        entries.append(
            Entry(
                id=digest(content),
                kind=f"{kind}.{fields}"[:255] if fields else kind,
                subject=f"{kind}/{about}"[:255],
                occurred_at=moment(part, "time"),
                body=content,
            )
        )
    return entries


def check_age(body: bytes, now: datetime) -> None:
    """The signature covers no time of its own, but the body, in which times are. Errors: BadRequest, Stale."""
    for entry in read(body):
        fresh(entry.occurred_at, now, WINDOW)


def challenge(query: Mapping[str, str], verify_token: str) -> str:
    """What Meta wants to hear when the address is set up. Errors: NotSetUp, SignatureRefused, Invalid."""
    if not verify_token:
        raise NotSetUp
    said = query.get("hub.verify_token", "")
    if query.get("hub.mode") != "subscribe" or not hmac.compare_digest(said.encode(), verify_token.encode()):
        raise SignatureRefused("hub.verify_token is not the one that was agreed on.")
    wanted = query.get("hub.challenge", "")
    if not wanted.isascii() or not wanted.isalnum() or len(wanted) > _LONGEST_CHALLENGE:
        raise Invalid("hub.challenge is letters and digits.")
    return wanted


def _fields(part: dict[str, object]) -> str:
    """Which fields changed, as far as they can be named."""
    changes = part.get("changes")
    if not isinstance(changes, list):
        return ""
    named = {change["field"] for change in changes if isinstance(change, dict) and isinstance(change.get("field"), str)}
    return "+".join(sorted(name for name in named if name.isprintable()))
