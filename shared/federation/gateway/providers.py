"""Identity providers: their description, their keys, codes exchanged for what they say of a user."""

import base64
import json
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlencode

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jws import extract_compact

from shared.federation import rules
from shared.federation.errors import LoginRefused, ProviderRefused, ProviderUnreachable
from shared.federation.model import Exchange, Metadata
from shared.outbound.errors import UrlRefused
from shared.outbound.gateway.client import Strangers
from shared.outbound.model import Outcome
from shared.outbound.rules import urls
from shared.outbound.rules.addresses import AllowList

_KEPT_BYTES = 500_000
_KEPT_PROVIDERS = 200
_FRESH_SECONDS = 600.0
_AGAIN_SECONDS = 10.0
"""How soon keys are read again for a token that names another one."""
T = TypeVar("T")
_FORM = "application/x-www-form-urlencoded"


class _Kept(Generic[T]):
    """Answers by their address, each for ten minutes."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._found: OrderedDict[str, tuple[float, T]] = OrderedDict()

    def get(self, key: str, longest: float = _FRESH_SECONDS) -> T | None:
        at, value = self._found.get(key, (float("-inf"), None))
        return value if self._monotonic() - at < longest else None

    def put(self, key: str, value: T) -> T:
        self._found.pop(key, None)
        self._found[key] = (self._monotonic(), value)
        if len(self._found) > _KEPT_PROVIDERS:
            self._found.popitem(last=False)
        return value


class Providers:
    """Speaks with identity providers (OpenID Connect Core 1.0, authorization code flow)."""

    def __init__(
        self,
        strangers: Strangers,
        allowed: AllowList,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._strangers = strangers
        self._allowed = allowed
        self._clock = clock
        self._described = _Kept[Metadata](monotonic)
        self._keys = _Kept[KeySet](monotonic)

    def describe(self, issuer: str) -> Metadata:
        """What a provider says of itself. Errors: ProviderUnreachable, ProviderRefused."""
        found = self._described.get(issuer)
        if found is not None:
            return found
        body = self._read(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        metadata = rules.read_metadata(issuer, body)
        try:
            # People are sent there: an address of ours or of their own machine would be a trap.
            urls.parse(metadata.authorization_endpoint, self._allowed)
        except UrlRefused as error:
            raise ProviderRefused(f"The provider's authorization_endpoint {error.reason}.") from error
        return self._described.put(issuer, metadata)

    def exchange(self, asked: Exchange) -> dict[str, Any]:
        """What the provider says of the user behind a code, verified.

        Errors: ProviderUnreachable, ProviderRefused, LoginRefused.
        """
        metadata = self.describe(asked.issuer)
        answer = rules.read_json(self._answered(self._redeem(metadata, asked)), "The provider's answer")
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise LoginRefused("The provider answered no ID token.")
        claims = self.verify(metadata, token, asked.client_id, asked.nonce)
        if "email" not in claims and metadata.userinfo_endpoint and isinstance(answer.get("access_token"), str):
            claims = {**self._userinfo(metadata, answer["access_token"], claims["sub"]), **claims}
        return rules.kept(claims, asked.role_claim)

    def verify(self, metadata: Metadata, token: str, client_id: str, nonce: str) -> dict[str, Any]:
        """The claims of an ID token of ours. Errors: LoginRefused, ProviderUnreachable, ProviderRefused."""
        try:
            key_set = self._key_set(metadata, token)
            claims: dict[str, Any] = jwt.decode(token, key_set, algorithms=list(rules.ALGORITHMS)).claims
            jwt.JWTClaimsRegistry(
                now=lambda: int(self._clock().timestamp()),
                leeway=rules.LEEWAY_SECONDS,
                iss={"essential": True, "value": metadata.issuer},
                aud={"essential": True, "value": client_id},
                sub={"essential": True},
                exp={"essential": True},
                iat={"essential": True},
                nonce={"essential": True, "value": nonce},
            ).validate(claims)
        except (JoseError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise LoginRefused(f"The provider's token is not good: {type(error).__name__}.") from error
        rules.check_subject(claims)
        rules.check_party(claims, client_id)
        return claims

    def _key_set(self, metadata: Metadata, token: str) -> KeySet:
        """The provider's keys; read again where the token names one that is not among them."""
        kid = extract_compact(token.encode()).protected.get("kid")
        found = self._keys.get(metadata.jwks_uri)
        known = found is not None and (kid is None or any(key.kid == kid for key in found.keys))
        if found is None or (not known and self._keys.get(metadata.jwks_uri, _AGAIN_SECONDS) is None):
            body = self._read(metadata.jwks_uri)
            keys = rules.usable_keys(rules.read_json(body, "The provider's key set"))
            found = self._keys.put(metadata.jwks_uri, KeySet.import_key_set({"keys": keys}))
        if kid is None and len(found.keys) > 1:
            raise LoginRefused("The provider's token does not say by which key it is signed.")
        return found

    def _redeem(self, metadata: Metadata, asked: Exchange) -> Outcome:
        form = {
            "grant_type": "authorization_code",
            "code": asked.code,
            "redirect_uri": asked.redirect_uri,
            "code_verifier": asked.verifier,
        }
        headers = {"content-type": _FORM, "accept": "application/json"}
        if metadata.basic_authentication:
            pair = f"{quote(asked.client_id, safe='')}:{quote(asked.client_secret, safe='')}"
            headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            form |= {"client_id": asked.client_id, "client_secret": asked.client_secret}
        return self._strangers.post(metadata.token_endpoint, headers, urlencode(form).encode(), keep=_KEPT_BYTES)

    @staticmethod
    def _answered(outcome: Outcome) -> bytes:
        if outcome.status is not None and 400 <= outcome.status < 500:  # noqa: PLR2004  HTTP's own boundaries
            raise LoginRefused(f"The provider refused the code: {_reason(outcome.body)}.")
        if outcome.error:
            raise ProviderUnreachable(f"The provider does not take codes: {outcome.error}")
        return outcome.body

    def _userinfo(self, metadata: Metadata, access_token: str, subject: str) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {access_token}", "accept": "application/json"}
        outcome = self._strangers.get(metadata.userinfo_endpoint, headers, keep=_KEPT_BYTES)
        if outcome.error:
            raise ProviderUnreachable(f"The provider does not tell who the user is: {outcome.error}")
        found = rules.read_json(outcome.body, "What the provider tells of the user")
        if found.get("sub") != subject:
            raise LoginRefused("The provider tells of another user than the token's.")
        return found

    def _read(self, url: str) -> bytes:
        outcome = self._strangers.get(url, {"accept": "application/json"}, keep=_KEPT_BYTES)
        if outcome.error:
            raise ProviderUnreachable(f"{outcome.error} ({url})")
        if len(outcome.body) >= _KEPT_BYTES:
            raise ProviderRefused(f"What is at {url} is too long.")
        return outcome.body


def _reason(body: bytes) -> str:
    """The OAuth error code of an answer, if it has a plain one."""
    try:
        found = json.loads(body).get("error")
    except (ValueError, AttributeError):
        return "without a reason"
    return found[:100] if isinstance(found, str) and found.isascii() else "without a reason"
