"""Whoever runs the platform: proved by a bearer secret, for the few addresses that tell of the whole."""

from tenant_context.context import TenantContext, from_operator
from tenant_context.errors import Unauthenticated
from tenant_context.secrets import SharedSecret


class OperatorVerifier:
    """Proves operators by the platform's own secret."""

    def __init__(self, secret_id: str) -> None:
        self._secret = SharedSecret(secret_id)

    def prove(self, credential: str, request_id: str, address: str = "") -> TenantContext:  # noqa: ARG002  from anywhere
        """The operator's context; raises `Unauthenticated`."""
        if not self._secret.matches(credential):
            raise Unauthenticated("This address is for the operators of the platform.")
        return from_operator(request_id)
