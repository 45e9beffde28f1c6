"""An authenticator in software: it keeps key pairs and answers as browsers do, or badly, where a test says how."""

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PRESENT, VERIFIED, CAN_BE_COPIED, COPIED, HOLDS_KEY = 1, 4, 8, 16, 64
ES256, EDDSA = -7, -8

PrivateKey = ec.EllipticCurvePrivateKey | Ed25519PrivateKey


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@dataclass(frozen=True)
class Manner:
    """How it answers; what is empty is as it was asked."""

    origin: str = "http://localhost"
    domain: str = ""
    challenge: str = ""
    kind: str = ""
    verifies: bool = True
    present: bool = True
    framed: bool = False
    handle: str | None = ""
    """Whose key it says it is; None leaves that out."""


GOOD = Manner()


@dataclass
class Key:
    """One key pair of one user."""

    id: bytes
    private: PrivateKey
    handle: str
    uses: int

    def sign(self, data: bytes) -> bytes:
        if isinstance(self.private, Ed25519PrivateKey):
            return self.private.sign(data)
        return self.private.sign(data, ec.ECDSA(hashes.SHA256()))

    def public(self) -> bytes:
        """The public key as COSE (RFC 9053) writes it."""
        if isinstance(self.private, Ed25519PrivateKey):
            raw = self.private.public_key().public_bytes_raw()
            return cbor2.dumps({1: 1, 3: EDDSA, -1: 6, -2: raw})
        numbers = self.private.public_key().public_numbers()
        x, y = numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")
        return cbor2.dumps({1: 2, 3: ES256, -1: 1, -2: x, -3: y})


@dataclass
class Authenticator:
    """A device with keys: `counts` how often each was used, or always says 0; `synced` keys can be copied."""

    algorithm: int = ES256
    counts: bool = True
    synced: bool = False
    keys: list[Key] = field(default_factory=list)

    def create(self, options: dict[str, Any], manner: Manner = GOOD, *, id_of: bytes = b"") -> dict[str, Any]:
        """What `navigator.credentials.create` answers: a new key, maybe under the id of another."""
        assert self.algorithm in {one["alg"] for one in options["pubKeyCredParams"]}
        private = Ed25519PrivateKey.generate() if self.algorithm == EDDSA else ec.generate_private_key(ec.SECP256R1())
        key = Key(id_of or secrets.token_bytes(32), private, options["user"]["id"], uses=0)
        self.keys.append(key)
        held = bytes(16) + len(key.id).to_bytes(2, "big") + key.id + key.public()
        data = self._data(key, manner, options["rp"]["id"], HOLDS_KEY) + held
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        response = {
            "clientDataJSON": self._client_data("webauthn.create", options, manner),
            "attestationObject": base64url(attestation),
            "transports": ["internal", "hybrid"],
        }
        return self._credential(key, response)

    def get(self, options: dict[str, Any], manner: Manner = GOOD) -> dict[str, Any]:
        """What `navigator.credentials.get` answers: signed by the newest key that was asked for."""
        asked = {one["id"] for one in options["allowCredentials"]}
        key = next(one for one in reversed(self.keys) if not asked or base64url(one.id) in asked)
        data = self._data(key, manner, options["rpId"], 0)
        client_data = self._client_data("webauthn.get", options, manner)
        told = base64.urlsafe_b64decode(f"{client_data}===")
        response = {
            "clientDataJSON": client_data,
            "authenticatorData": base64url(data),
            "signature": base64url(key.sign(data + hashlib.sha256(told).digest())),
        }
        if manner.handle is not None:
            response["userHandle"] = manner.handle or key.handle
        return self._credential(key, response)

    def _data(self, key: Key, manner: Manner, domain: str, flags: int) -> bytes:
        key.uses += self.counts
        flags |= manner.present and PRESENT
        flags |= manner.verifies and VERIFIED
        flags |= self.synced and CAN_BE_COPIED | COPIED
        hashed = hashlib.sha256((manner.domain or domain).encode()).digest()
        return hashed + bytes([flags]) + key.uses.to_bytes(4, "big")

    def _client_data(self, kind: str, options: dict[str, Any], manner: Manner) -> str:
        told = {
            "type": manner.kind or kind,
            "challenge": manner.challenge or options["challenge"],
            "origin": manner.origin,
            "crossOrigin": manner.framed,
        }
        return base64url(json.dumps(told).encode())

    def _credential(self, key: Key, response: dict[str, Any]) -> dict[str, Any]:
        name = base64url(key.id)
        return {
            "id": name,
            "rawId": name,
            "type": "public-key",
            "response": response,
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
        }
