"""What Google's Pub/Sub pushes, and the claims of the token that it pushes with.

Source: Google Cloud, "Authenticate push subscriptions" and "Push subscriptions", Receive messages.
"""

import base64
import binascii
from typing import Any

from shared.inbox.errors import SignatureRefused
from shared.inbox.model import Entry
from shared.inbox.rules.reading import inner, json_object, moment, text
from tenant_context.errors import BadRequest

ISSUERS = ("https://accounts.google.com", "accounts.google.com")
KEYS_URL = "https://www.googleapis.com/oauth2/v3/certs"
LEEWAY_SECONDS = 60


def read(body: bytes) -> list[Entry]:
    """The one entry of a delivery. Errors: BadRequest."""
    told = json_object(body)
    subscription, message = text(told, "subscription"), inner(told, "message")
    attributes = message.get("attributes")
    named = attributes if isinstance(attributes, dict) else {}
    try:
        base64.b64decode(message.get("data") or "", validate=True)
    except (binascii.Error, ValueError, TypeError) as error:
        raise BadRequest("message.data is no base64.") from error
    name = text(message, "messageId")
    ordered = message.get("orderingKey")
    about = ordered if isinstance(ordered, str) and ordered.isprintable() else ""
    kind = named.get("eventType")
    return [
        Entry(
            id=f"{subscription}/{name}"[-255:],
            kind=kind if isinstance(kind, str) and 0 < len(kind) <= 255 and kind.isprintable() else "pubsub.message",  # noqa: PLR2004
            subject=f"{subscription}/{about or name}"[-255:],
            occurred_at=moment(message, "publishTime"),
            body=body,
        )
    ]


def check_claims(claims: dict[str, Any], service_account: str) -> None:
    """Whoever pushes is the service account that was agreed on. Errors: SignatureRefused."""
    if claims.get("email") != service_account or claims.get("email_verified") is not True:
        raise SignatureRefused("The token is not of the service account that pushes here.")
