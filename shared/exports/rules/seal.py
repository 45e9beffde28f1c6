"""The seal of a manifest: a MAC under a key of the deployment, so that no archive but its own is believed.

A manifest names each file with its digest, so what it seals is the whole archive. The key is derived from the
platform's pepper, which cannot be rotated: archives that were loaded down years ago are known again.
"""

import hashlib
import hmac
from typing import Any

import msgspec

from shared.exports.errors import Damaged, NotOurs

_FIELD = "mac"
_PURPOSE = b"rmap-export manifest"


def sealed(document: dict[str, Any], pepper: str) -> bytes:
    """A manifest as it stands in the archive."""
    return msgspec.json.format(msgspec.json.encode({**document, _FIELD: _mac(document, pepper)}), indent=1)


def opened(content: bytes, pepper: str) -> dict[str, Any]:
    """What a manifest of this deployment says. Errors: Damaged, NotOurs."""
    try:
        document = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Damaged("The archive's manifest cannot be read.") from error
    if not isinstance(document, dict):
        raise Damaged("The archive's manifest cannot be read.")
    said = document.pop(_FIELD, None)
    if not isinstance(said, str) or not hmac.compare_digest(said.encode(), _mac(document, pepper).encode()):
        raise NotOurs("The archive's manifest was not made by this deployment, or was changed since.")
    return document


def _mac(document: dict[str, Any], pepper: str) -> str:
    key = hmac.new(pepper.encode(), _PURPOSE, hashlib.sha256).digest()
    # Its own form of JSON, whatever spaces the file has.
    return hmac.new(key, msgspec.json.encode(document), hashlib.sha256).hexdigest()
