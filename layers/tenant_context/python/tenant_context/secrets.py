"""Secrets Manager, read once a sandbox and again when it says so."""

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
