"""Passkeys by W3C's Web Authentication: what a browser is asked, and whether its answer is good.

The library is imported when an answer is judged and not before: it costs a cold start more than all the rest.
"""

import base64
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.identity.errors import PasskeyRefused, WrongPasskey
from shared.identity.model import Passkey, Signed, User
from shared.identity.rules import CHALLENGE_SECONDS

_BRAND = "RMAP"
_EDDSA, _ES256, _RS256 = -8, -7, -257
_ALGORITHMS = (_EDDSA, _ES256, _RS256)


class RelyingParty:
    """Whom passkeys are for: a domain's name, and the origins of the pages that may ask for them."""

    def __init__(self, domain: str, origins: Sequence[str]) -> None:
        self._domain = domain
        self._origins = list(origins)

    def creation_options(self, user: User, challenge: bytes, known: Sequence[Passkey]) -> dict[str, Any]:
        """What `navigator.credentials.create` is asked, as PublicKeyCredentialCreationOptionsJSON."""
        return {
            "rp": {"id": self._domain, "name": _BRAND},
            "user": {"id": handle(user.id), "name": user.email, "displayName": user.name},
            "challenge": _base64url(challenge),
            "pubKeyCredParams": [{"type": "public-key", "alg": number} for number in _ALGORITHMS],
            "timeout": CHALLENGE_SECONDS * 1000,
            "excludeCredentials": [_descriptor(passkey) for passkey in known],
            "authenticatorSelection": {"residentKey": "preferred", "userVerification": "preferred"},
            "attestation": "none",
        }

    def request_options(self, challenge: bytes, allowed: Sequence[Passkey], *, verify_user: bool) -> dict[str, Any]:
        """What `navigator.credentials.get` is asked, as PublicKeyCredentialRequestOptionsJSON."""
        return {
            "rpId": self._domain,
            "challenge": _base64url(challenge),
            "timeout": CHALLENGE_SECONDS * 1000,
            "allowCredentials": [_descriptor(passkey) for passkey in allowed],
            "userVerification": "required" if verify_user else "preferred",
        }

    def made(self, user: User, credential: dict[str, Any], challenge: bytes, name: str, now: datetime) -> Passkey:
        """The passkey that answered a question for a new one. Errors: PasskeyRefused."""
        from webauthn import verify_registration_response  # noqa: PLC0415  see above
        from webauthn.helpers.cose import COSEAlgorithmIdentifier  # noqa: PLC0415

        try:
            found = verify_registration_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=self._domain,
                expected_origin=self._origins,
                supported_pub_key_algs=[COSEAlgorithmIdentifier(number) for number in _ALGORITHMS],
            )
        # A stranger's bytes: of what the parsers of JSON, CBOR and certificates raise, no list is complete.
        except Exception as error:
            raise PasskeyRefused from error
        identifier = _base64url(found.credential_id)
        if identifier != credential["id"] or _is_framed(credential):
            raise PasskeyRefused
        return Passkey(
            id=identifier,
            user=user.id,
            name=name,
            public_key=found.credential_public_key,
            sign_count=found.sign_count,
            transports=tuple(credential["response"].get("transports") or ()),
            synced=found.credential_device_type.value == "multi_device",
            backed_up=found.credential_backed_up,
            created_at=now,
        )

    def signed(self, passkey: Passkey, credential: dict[str, Any], challenge: bytes, *, verify_user: bool) -> Signed:
        """What a passkey's good answer says; the caller judges the counter. Errors: WrongPasskey."""
        from webauthn import verify_authentication_response  # noqa: PLC0415  see above

        try:
            found = verify_authentication_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=self._domain,
                expected_origin=self._origins,
                credential_public_key=passkey.public_key,
                credential_current_sign_count=0,  # judged where it is kept, of good signatures alone
                require_user_verification=verify_user,
            )
        # As above.
        except Exception as error:
            raise WrongPasskey from error
        if (found.credential_device_type.value == "multi_device") != passkey.synced or _is_framed(credential):
            raise WrongPasskey
        return Signed(found.new_sign_count, found.credential_backed_up)


def handle(user: UUID) -> str:
    """The user as authenticators know them: nothing that says who it is."""
    return _base64url(user.bytes)


def _is_framed(credential: dict[str, Any]) -> bool:
    """Whether the browser says that the page stood inside one of another origin."""
    told = credential["response"]["clientDataJSON"]
    return bool(json.loads(base64.urlsafe_b64decode(f"{told}===")).get("crossOrigin"))


def _descriptor(passkey: Passkey) -> dict[str, Any]:
    return {"type": "public-key", "id": passkey.id, "transports": list(passkey.transports)}


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
