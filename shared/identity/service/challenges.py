"""Proof that a domain is somebody's: its DNS holds a text that only we and they know."""

import secrets

from shared.identity.errors import ChallengeMissing
from shared.identity.gateway.egress import Egress
from tenant_context.context import TenantContext

RECORD = "_rmap-challenge"
"""The label below a domain whose TXT records are looked at."""


def fresh_challenge() -> str:
    """A text to put there."""
    return f"rmap-challenge={secrets.token_urlsafe(32)}"


class Challenges:
    """Looks into DNS, by the function that has the internet."""

    def __init__(self, egress: Egress) -> None:
        self._egress = egress

    def check(self, tenant: TenantContext, domain: str, challenge: str) -> None:
        """Whether the domain's DNS holds the challenge. Errors: ChallengeMissing, NamesUnreachable."""
        self.look(tenant, domain, challenge)

    def look(self, tenant: TenantContext, domain: str, challenge: str) -> list[str]:
        """The same; answers everything that stands where the challenge does."""
        name = f"{RECORD}.{domain}"
        texts: list[str] = self._egress.call(
            "texts", {"name": name}, tenant=tenant.tenant, request_id=tenant.request_id
        )
        if challenge not in texts:
            raise ChallengeMissing(f"Put a TXT record at {name} that says {challenge}")
        return texts
