"""Secrets Manager, read once a sandbox and again when it says so."""

import hmac
import time
from functools import lru_cache

from tenant_context.aws import AwsClient


@lru_cache(maxsize=1)
def _client() -> AwsClient:
    return AwsClient("secretsmanager")


@lru_cache(maxsize=16)
def secret(name: str) -> str:
    """The present value of a secret; kept for the life of the sandbox or until `forget_secrets`."""
    return str(_client().call("GetSecretValue", {"SecretId": name})["SecretString"])


def forget_secrets() -> None:
    """Read every secret anew at its next use: after a rotation, a refused log-in says so."""
    secret.cache_clear()


_TRUSTED_SECONDS = 60
"""How long a secret is believed to be the present one after a wrong guess made us read it again."""


class SharedSecret:
    """A secret that callers send as it stands; compared in constant time, a rotated one known after a minute at most.

    Of several names, each one's secret is good: while one is being replaced by another.
    """

    def __init__(self, *names: str) -> None:
        self._names = names
        self._read_at = time.monotonic()

    def matches(self, sent: str) -> bool:
        """Whether this is the secret; an empty one matches nothing. Errors: AwsError."""
        return self._is(sent) or self._is_anew(sent)

    def _is(self, sent: str) -> bool:
        known = [secret(name) for name in self._names]
        return any(one and hmac.compare_digest(sent.encode(), one.encode()) for one in known)

    def _is_anew(self, sent: str) -> bool:
        now = time.monotonic()
        if now - self._read_at < _TRUSTED_SECONDS:
            return False
        self._read_at = now
        forget_secrets()
        return self._is(sent)
