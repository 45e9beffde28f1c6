"""Passwords under Argon2id."""

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError


class Passwords:
    """Argon2id with the given costs; `memory_kib` in KiB."""

    def __init__(self, *, time_cost: int, memory_kib: int, lanes: int) -> None:
        self._hasher = PasswordHasher(time_cost=time_cost, memory_cost=memory_kib, parallelism=lanes)
        self._decoy: str | None = None

    def hash(self, password: str) -> str:
        """What is stored of a password."""
        return self._hasher.hash(password)

    def matches(self, password_hash: str | None, password: str) -> bool:
        """Whether it is the one; nobody, and a user without a password (empty), cost the same time and never match."""
        if not password_hash and self._decoy is None:
            # Made by the first who is not known, at the cost of the verification that the next ones pay.
            self._decoy = self._hasher.hash("nobody's password")
            return False
        try:
            self._hasher.verify(password_hash or self._decoy or "", password)
        except (VerificationError, InvalidHashError):
            return False
        return bool(password_hash)

    def is_outdated(self, password_hash: str) -> bool:
        """Whether the costs have changed since the hash was made."""
        return self._hasher.check_needs_rehash(password_hash)
