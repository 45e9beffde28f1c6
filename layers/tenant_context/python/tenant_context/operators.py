"""Whoever runs the platform: proved by a bearer secret, for the few addresses that tell of the whole."""

import hmac
import time

from tenant_context.context import TenantContext, from_operator
from tenant_context.errors import Unauthenticated
from tenant_context.secrets import forget_secrets, secret

_TRUSTED_SECONDS = 60
"""How long a secret is believed to be the present one after a wrong guess made us read it again."""


class OperatorVerifier:
    """Compares in constant time, and with a rotated secret after a minute at most."""

    def __init__(self, secret_id: str) -> None:
        self._secret_id = secret_id
        self._read_at = time.monotonic()

    def prove(self, credential: str, request_id: str) -> TenantContext:
        """The operator's context; raises `Unauthenticated`."""
        if not self._matches(credential) and not self._matches_anew(credential):
            raise Unauthenticated("This address is for the operators of the platform.")
        return from_operator(request_id)

    def _matches(self, credential: str) -> bool:
        known = secret(self._secret_id)
        return bool(known) and hmac.compare_digest(credential.encode(), known.encode())

    def _matches_anew(self, credential: str) -> bool:
        now = time.monotonic()
        if now - self._read_at < _TRUSTED_SECONDS:
            return False
        self._read_at = now
        forget_secrets()
        return self._matches(credential)
