"""What TikTok tells. It gives its events no ids; what is the same is known by its content.

Source: TikTok for Developers, "Webhook Events", Webhook Structure.
"""

from shared.inbox.model import Entry
from shared.inbox.rules.reading import canonical, digest, json_object, moment, text


def read(body: bytes) -> list[Entry]:
    """The one entry of a delivery. Errors: BadRequest."""
    told = json_object(body)
    kind, about = text(told, "event"), told.get("user_openid") or told.get("advertiser_id") or text(told, "client_key")
    return [
        Entry(
            id=digest(canonical(told)),
            kind=kind,
            subject=f"account/{about}"[:255] if isinstance(about, str) and about.isprintable() else "account",
            occurred_at=moment(told, "create_time"),
            body=body,
        )
    ]
