"""Programs beside people: an address that takes access tokens takes API keys as well."""

from collections.abc import Callable
from typing import Protocol

from tenant_context.context import TenantContext

KEY_BEGINS = "rmap_"


class Prover(Protocol):
    """Proves a caller from a credential."""

    def prove(self, credential: str, request_id: str, address: str = "") -> TenantContext:
        """The context the credential opens."""


class UserOrProgram:
    """Tells by its beginning what a credential is. How keys are proved is made when the first one comes."""

    def __init__(self, users: Prover, programs: Callable[[], Prover]) -> None:
        self._users = users
        self._make_programs = programs
        self._programs: Prover | None = None

    def prove(self, credential: str, request_id: str, address: str = "") -> TenantContext:
        """The context of the token's user, or of the key. Errors: Unauthenticated."""
        if not credential.startswith(KEY_BEGINS):
            return self._users.prove(credential, request_id, address)
        if self._programs is None:
            self._programs = self._make_programs()
        return self._programs.prove(credential, request_id, address)
