"""What a call carries beside its body: the endpoint's own headers, and ours, which none of those can replace."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from shared.webhooks.gateway.keys import SecretKeys, header_part
from shared.webhooks.model import Target
from shared.webhooks.rules import signature
from shared.webhooks.rules.endpoints import signing
from tenant_context.context import TenantContext

Opened = tuple[Mapping[str, str], Sequence[signature.Key]]
"""An endpoint's own headers and the keys that sign for it, in clear."""


def opened(keys: SecretKeys, tenant: TenantContext, target: Target, now: datetime) -> Opened:
    """What an endpoint keeps sealed, for its calls of this moment."""
    own = {
        name: keys.open(tenant, target.id, sealed, header_part(name)).decode()
        for name, sealed in target.headers.items()
    }
    return own, [(key.algorithm, keys.open(tenant, target.id, key.ciphertext)) for key in signing(target.keys, now)]


def headers(opened: Opened, message: str, now: datetime, body: bytes) -> Mapping[str, str]:
    """The headers of one call."""
    own, keys = opened
    return {**own, **signature.headers(keys, message, int(now.timestamp()), body)}
