"""The secret that holds what each source proves itself by."""

import time
from collections.abc import Callable
from typing import TypeVar

import msgspec

from shared.inbox.errors import NotSetUp, SignatureRefused
from tenant_context.secrets import forget_secrets, secret

_TRUSTED_SECONDS = 10.0
T = TypeVar("T")


class Agreed(msgspec.Struct, frozen=True):
    """What the secret `RMAP_INBOUND_SECRET` names holds; what is empty is not set up."""

    meta_app_secret: str = ""
    meta_verify_token: str = ""
    tiktok_client_secret: str = ""
    google_audience: str = ""
    google_service_account: str = ""


class InboundSecret:
    """Reads the secret, and reads it anew where it may have been replaced."""

    def __init__(self, name: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._monotonic = monotonic
        self._read_at = monotonic()

    def _now(self) -> Agreed:
        return msgspec.json.decode(secret(self._name), type=Agreed)

    def believed(self, verify: Callable[[Agreed], T]) -> T:
        """Verify something; refused, once more with what was agreed on since, at most every few seconds."""
        try:
            return verify(self._now())
        except (SignatureRefused, NotSetUp):
            if self._monotonic() - self._read_at < _TRUSTED_SECONDS:
                raise
            self._read_at = self._monotonic()
            forget_secrets()
            return verify(self._now())
