"""Google's tokens (RS256, OpenID Connect), by which Pub/Sub proves itself."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from shared.inbox.errors import NotSetUp, SignatureRefused, Unsigned
from shared.inbox.gateway.elsewhere import Elsewhere
from shared.inbox.model import Delivery
from shared.inbox.rules.google import ISSUERS, LEEWAY_SECONDS, check_claims
from tenant_context.errors import Unavailable

_BEARER = "bearer "
_LONGEST = 5_000


class GoogleTokens:
    """Believes deliveries that a service account of Google's pushed to this address."""

    def __init__(self, elsewhere: Elsewhere, clock: Callable[[], datetime]) -> None:
        self._elsewhere = elsewhere
        self._clock = clock

    def verify(self, delivery: Delivery, audience: str, service_account: str) -> None:
        """Errors: NotSetUp, Unsigned, SignatureRefused, Unavailable."""
        if not audience or not service_account:
            raise NotSetUp
        sent = delivery.headers.get("authorization", "")
        if sent[: len(_BEARER)].lower() != _BEARER:
            raise Unsigned("It has no Authorization: Bearer.")
        check_claims(self._claims(sent[len(_BEARER) :].strip(), audience), service_account)

    def _claims(self, token: str, audience: str) -> dict[str, Any]:
        from joserfc import jwt  # noqa: PLC0415  few requests come with such a token, and a cold start would pay
        from joserfc.errors import JoseError  # noqa: PLC0415

        if len(token) > _LONGEST or not token.isascii():
            raise SignatureRefused("The token is none of Google's.")
        try:
            claims: dict[str, Any] = jwt.decode(token, self._keys(token), algorithms=["RS256"]).claims
            jwt.JWTClaimsRegistry(
                now=lambda: int(self._clock().timestamp()),
                leeway=LEEWAY_SECONDS,
                iss={"essential": True, "values": list(ISSUERS)},
                aud={"essential": True, "value": audience},
                exp={"essential": True},
                iat={"essential": True},
            ).validate(claims)
        except (JoseError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise SignatureRefused(f"The token is not good: {type(error).__name__}.") from error
        return claims

    def _keys(self, token: str) -> Any:
        """Google's keys; read anew, now and then, for a token that names one that is not among them."""
        from joserfc.jws import extract_compact  # noqa: PLC0415  as above

        kid = extract_compact(token.encode()).protected.get("kid")
        found = _key_set(self._elsewhere.google_keys())
        if not any(key.kid == kid for key in found.keys):
            found = _key_set(self._elsewhere.google_keys(again=True))
        return found


def _key_set(content: bytes) -> Any:
    """Errors: Unavailable, where Google's answer is no key set."""
    from joserfc.errors import JoseError  # noqa: PLC0415
    from joserfc.jwk import KeySet  # noqa: PLC0415

    try:
        return KeySet.import_key_set(msgspec.json.decode(content))
    except (JoseError, msgspec.MsgspecError, ValueError, TypeError, KeyError) as error:
        raise Unavailable("Google's keys cannot be read just now.") from error
