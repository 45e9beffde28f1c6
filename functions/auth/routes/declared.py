"""What all of them share."""

from dataclasses import dataclass
from typing import Any

from shared.identity.service.account import Account
from shared.identity.service.callers import Caller
from shared.identity.service.keys import ApiKeys
from shared.identity.service.proofs import Proofs
from shared.identity.service.recovery import Recovery
from shared.identity.service.sign_in import Identity
from shared.identity.service.sign_on import SignOn
from shared.identity.service.sign_up import SignUps
from tenant_context.key_ring import KeyRing
from tenant_context.routing import Call, Routes

routes = Routes()


@dataclass(frozen=True, slots=True)
class Auth:
    """What the routes use."""

    identity: Identity
    sign_ups: SignUps
    proofs: Proofs
    recovery: Recovery
    account: Account
    sign_on: SignOn
    keys: ApiKeys
    ring: KeyRing
    issuer: str


def caller_of(call: Call[Any]) -> Caller:
    """Where a request comes from."""
    return Caller(call.source_ip, call.headers.get("user-agent", ""), call.request_id)
