"""Signatures that are an HMAC-SHA-256 under a shared secret: Meta's and TikTok's.

Sources: Meta, "Webhooks: Getting Started", Validating Payloads; TikTok for Developers, "Check the signature".
"""

import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta

from shared.inbox.errors import NotSetUp, SignatureRefused, Unsigned
from shared.inbox.model import Delivery
from shared.inbox.rules.reading import fresh

META_HEADER, TIKTOK_HEADER = "x-hub-signature-256", "tiktok-signature"
TIKTOK_WINDOW = timedelta(hours=72)
"""TikTok tries again for so long; whether its later tries are signed anew is not said."""
_META = re.compile(r"sha256=([0-9a-f]{64})")
_TIKTOK = re.compile(r"t=([0-9]{1,11}),\s*s=([0-9a-f]{64})")


def verify_meta(delivery: Delivery, app_secret: str) -> None:
    """Meta signs the body as it is sent. Errors: NotSetUp, Unsigned, SignatureRefused."""
    sent = _header(delivery, META_HEADER, app_secret)
    match = _META.fullmatch(sent)
    if match is None or not _is(match[1], app_secret, delivery.body):
        raise SignatureRefused("X-Hub-Signature-256 is not Meta's for this body.")


def verify_tiktok(delivery: Delivery, client_secret: str) -> None:
    """TikTok signs the time and the body. Errors: NotSetUp, Unsigned, SignatureRefused, Stale."""
    sent = _header(delivery, TIKTOK_HEADER, client_secret)
    match = _TIKTOK.fullmatch(sent)
    if match is None or not _is(match[2], client_secret, match[1].encode() + b"." + delivery.body):
        raise SignatureRefused("TikTok-Signature is not TikTok's for this body.")
    fresh(datetime.fromtimestamp(int(match[1]), UTC), delivery.at, TIKTOK_WINDOW)


def _header(delivery: Delivery, name: str, secret: str) -> str:
    if not secret:
        # An HMAC under an empty key is anybody's to make.
        raise NotSetUp
    sent = delivery.headers.get(name, "").strip()
    if not sent:
        raise Unsigned(f"It has no {name.title()}.")
    return sent


def _is(sent: str, secret: str, content: bytes) -> bool:
    return hmac.compare_digest(sent, hmac.new(secret.encode(), content, hashlib.sha256).hexdigest())
