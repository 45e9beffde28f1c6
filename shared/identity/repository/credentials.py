"""Everything that a user proves themselves with beside the password."""

from collections.abc import Callable
from uuid import UUID

from shared.identity.repository.factors import FactorRepository
from shared.identity.repository.passkeys import PasskeyRepository


class CredentialRepository:
    """An app, recovery codes and passkeys, taken together."""

    def __init__(
        self, factors: FactorRepository, passkeys: PasskeyRepository, also: Callable[[UUID], object] = lambda _: None
    ) -> None:
        self._factors = factors
        self._passkeys = passkeys
        self._also = also

    def forget(self, user: UUID) -> None:
        """Forget all of it, and `also` what else is known of the person; may be repeated until it is done."""
        for passkey in self._passkeys.of_user(user):
            self._passkeys.remove(user, passkey.id)
        self._factors.forget(user)
        self._also(user)
