"""Requests that came through CloudFront and its firewall, told from those that went around them.

API Gateway's own address stays reachable, so CloudFront adds a header with a secret to whatever it passes on.
"""

from collections.abc import Mapping

from tenant_context.errors import Forbidden
from tenant_context.secrets import SharedSecret

HEADER = "x-rmap-origin"


class Edge:
    """Lets through what carries one of the secrets."""

    def __init__(self, *secret_ids: str) -> None:
        self._secret = SharedSecret(*secret_ids)

    def admit(self, headers: Mapping[str, str]) -> None:
        """Errors: Forbidden."""
        if not self._secret.matches(headers.get(HEADER, "")):
            raise Forbidden("Ask at the platform's public address.")

    def caller(self, headers: Mapping[str, str], neighbour: str) -> str:
        """The address that CloudFront was asked from.

        X-Forwarded-For holds what the caller claims, then what CloudFront saw, then what API Gateway saw. Without
        the last two, it is the neighbour's address.
        """
        hops = [hop.strip() for hop in headers.get("x-forwarded-for", "").split(",")]
        return hops[-2] if len(hops) > 1 else neighbour
