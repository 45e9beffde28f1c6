"""Whether a password was seen in breaches: five digits of its digest are asked for, the rest is compared here."""

import hashlib
from uuid import UUID

from shared.federation.errors import ListUnreachable
from shared.identity.gateway.egress import Egress
from tenant_context.errors import Unavailable
from tenant_context.observability import Observability

NOBODY = UUID(int=0)


class BreachedPasswords:
    """Asks the list. When it does not answer, passwords pass, and a line in the log says so."""

    def __init__(self, egress: Egress, observability: Observability) -> None:
        self._egress = egress
        self._observability = observability

    def has(self, password: str, request_id: str) -> bool:
        """Whether the password is on the list."""
        digest = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()
        try:
            found = self._egress.call("breached", {"prefix": digest[:5]}, tenant=NOBODY, request_id=request_id)
        except (ListUnreachable, Unavailable) as error:
            self._observability.warning("breached passwords were not checked", reason=error.detail)
            return False
        return digest[5:] in found
