"""Passwords that somebody wants to have from now on."""

from shared.identity import rules
from shared.identity.errors import BreachedPassword
from shared.identity.gateway.breaches import BreachedPasswords
from shared.identity.service.callers import Caller


class FreshPasswords:
    """Judges them: by our rules first, then by the list of those seen in breaches."""

    def __init__(self, breached: BreachedPasswords) -> None:
        self._breached = breached

    def check(self, password: str, email: str, name: str, caller: Caller) -> None:
        """Errors: WeakPassword, BreachedPassword."""
        rules.check_password(password, email, name)
        if self._breached.has(password, caller.request_id):
            raise BreachedPassword
