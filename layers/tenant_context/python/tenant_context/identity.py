"""Who a token or a key speaks for: verified here, in the layer, on every request.

Access tokens are RS256 (RFC 7515, RFC 7519), signed by a key that never leaves KMS. One algorithm, so it is checked
here on cryptography alone: PyJWT's import is a tenth of an API function's cold start. It judges these checks in the
tests. The ring of signing keys says which key is for which algorithm. `iss`, `aud`, `exp`, `nbf`, `iat` and `jti` are
checked with at most 30 s of skew. A verdict is kept by the hash of the whole token, its times and its key checked again
at every hit: a kept verdict opens nothing another token could use, and does not outlive its key.
"""

import base64
import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple, Protocol
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from tenant_context.context import TenantContext, from_claims
from tenant_context.errors import Unauthenticated
from tenant_context.key_ring import PublishedKey
from tenant_context.revocations import Revocations
from tenant_context.settings import TokenSettings

SKEW_SECONDS = 30
_KEPT = 2048
_CLAIMS = frozenset({"sub", "tid", "role", "permissions", "sid", "iss", "aud", "iat", "nbf", "exp", "jti"})
_ALGORITHM = "RS256"
_NOT_OURS = "The access token is signed with a key that is not ours."
_PADDING = PKCS1v15()
_HASH = SHA256()


class _Header(msgspec.Struct):
    """The part of a token's header that decides (RFC 7515, section 4.1)."""

    alg: str
    kid: str
    crit: list[str] | msgspec.UnsetType = msgspec.UNSET
    """What a verifier must understand; we understand no extension."""


class _BadTokenError(Exception):
    """Not a token of ours, in whatever way."""


class PublicKeys(Protocol):
    """Finds the public key a token names."""

    def find(self, kid: str) -> PublishedKey | None:
        """The key, or None for one that is not ours."""


class _Verdict(NamedTuple):
    """What a good signature says, and the key it was made with."""

    kid: str
    claims: dict[str, Any]


class TokenVerifier:
    """Turns a bearer token into verified claims, or raises `Unauthenticated`."""

    def __init__(self, settings: TokenSettings, clock: Callable[[], datetime], keys: PublicKeys) -> None:
        self._settings = settings
        self._clock = clock
        self._keys = keys
        self._verified: OrderedDict[bytes, _Verdict] = OrderedDict()

    def verify(self, token: str) -> dict[str, Any]:
        """The claims of a good token. Errors say what is wrong with it, never more."""
        now = self._clock().timestamp()
        digest = hashlib.sha256(token.encode()).digest()
        verdict = self._verified.get(digest)
        if verdict is None:
            verdict = self._check(token)
            self._verified[digest] = verdict
            if len(self._verified) > _KEPT:
                self._verified.popitem(last=False)
        elif self._keys.find(verdict.kid) is None:
            self._verified.pop(digest, None)
            raise Unauthenticated(_NOT_OURS)
        claims = verdict.claims
        if now >= claims["exp"] + SKEW_SECONDS:
            self._verified.pop(digest, None)
            raise Unauthenticated("The access token has expired; refresh it.")
        if now < max(claims.get("nbf", claims["iat"]), claims["iat"]) - SKEW_SECONDS:
            raise Unauthenticated("The access token is not valid yet.")
        return claims

    def _check(self, token: str) -> _Verdict:
        try:
            verdict = self._signed(token)
        except (_BadTokenError, InvalidSignature, msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise Unauthenticated("The access token is not valid.") from error
        claims = verdict.claims
        audience = claims["aud"]
        meant = (
            self._settings.audience in audience if isinstance(audience, list) else audience == self._settings.audience
        )
        times = (claims["iat"], claims["exp"], claims.get("nbf", 0))
        if not meant or claims["iss"] != self._settings.issuer or not all(isinstance(time, int) for time in times):
            raise Unauthenticated("The access token is not valid.")
        return verdict

    def _signed(self, token: str) -> _Verdict:
        """The claims under a good signature, none of them missing and none judged yet."""
        signed, _, signature = token.rpartition(".")
        head, _, payload = signed.partition(".")
        header = msgspec.json.decode(_bytes(head), type=_Header)
        if header.alg != _ALGORITHM or header.crit is not msgspec.UNSET:
            raise _BadTokenError("an algorithm or an extension that we do not use")
        key = self._keys.find(header.kid)
        if key is None:
            raise Unauthenticated(_NOT_OURS)
        if header.alg != key.algorithm:
            raise _BadTokenError("an algorithm that its key is not for")
        key.public.verify(_bytes(signature), signed.encode("ascii"), _PADDING, _HASH)
        claims = msgspec.json.decode(_bytes(payload), type=dict[str, Any])
        if missing := _CLAIMS - claims.keys():
            raise _BadTokenError(f"without {', '.join(sorted(missing))}")
        _check_forms(claims, _bytes(payload))
        return _Verdict(header.kid, claims)


def _check_forms(claims: dict[str, Any], payload: bytes) -> None:
    """What we issue looks like this: each claim once, ids in their one form, permissions as a list of words."""
    for name in ("sub", "tid", "sid", "jti"):
        if not isinstance(claims[name], str) or str(UUID(claims[name])) != claims[name]:
            raise _BadTokenError(f"{name} is no id")
    permissions = claims["permissions"]
    if not isinstance(permissions, list) or not all(isinstance(one, str) for one in permissions):
        raise _BadTokenError("permissions are no words")
    if len(_pairs(payload)) != len(claims):
        raise _BadTokenError("a claim is there twice")


def _pairs(payload: bytes) -> list[tuple[str, Any]]:
    """The claims as they are written, repeated ones included."""
    found: list[list[tuple[str, Any]]] = []
    json.loads(payload, object_pairs_hook=lambda pairs: found.append(pairs) or dict(pairs))  # type: ignore[func-returns-value]
    return found[-1]


def _bytes(part: str) -> bytes:
    """A part of a token: base64url without padding, and nothing else in it."""
    if "=" in part or "+" in part or "/" in part:
        raise _BadTokenError("another base64")
    return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)


class TokenProver:
    """Proves a user by an access token of a session that has not ended."""

    def __init__(self, verifier: TokenVerifier, revocations: Revocations) -> None:
        self._verifier = verifier
        self._revocations = revocations

    def prove(self, credential: str, request_id: str, address: str = "") -> TenantContext:
        """The context of the token's user in the token's tenant."""
        claims = self._verifier.verify(credential)
        if self._revocations.has(claims["sid"]):
            raise Unauthenticated("The session has ended; log in again.")
        if self._revocations.outdates(claims["tid"], _issued_at(claims)):
            raise Unauthenticated("Something changed since this token was issued; refresh it.")
        return from_claims(claims, request_id, address)


def _issued_at(claims: dict[str, Any]) -> float:
    """When a token was issued, in seconds since 1970: to the millisecond by its id (UUIDv7), else by the second."""
    try:
        token = UUID(str(claims["jti"]))
    except ValueError:
        return float(claims["iat"])
    return (token.int >> 80) / 1000 if token.version == 7 else float(claims["iat"])  # noqa: PLR2004  RFC 9562
