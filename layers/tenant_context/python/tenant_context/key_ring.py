"""The ring of signing keys: which key signs access tokens, and which ones are still believed.

The function `key_rotation` writes the ring, one item of one table; everybody else reads it here. A key is `pending`
(published, not yet used), then `signing`, then `verifying` (its last tokens are still good), then `retired`.

A sandbox reads the ring when it first needs it and every five minutes; also when a token names a key it does not know,
at most once in ten seconds, so that made-up names cost next to nothing. Whoever signs wants to know more often.
A key that was ended in an emergency is told like an ended session, and so stops within five seconds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from math import inf

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from tenant_context.aws import AwsError
from tenant_context.clock import Clock
from tenant_context.dynamo import Item, Table
from tenant_context.errors import Unavailable

RING = ("ring", "ring")
"""Keys `pk` and `sk` of the ring's item."""
_READ_EVERY_S = 300.0
SIGNER_READS_EVERY_S = 30.0
PAUSE_S = 10.0
"""Between two readings for the sake of a name that is not known, or for the published set."""
_LONGEST_KID = 128


class State(StrEnum):
    """Where a key is in its life."""

    PENDING = "pending"
    SIGNING = "signing"
    VERIFYING = "verifying"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class PublishedKey:
    """A key whose tokens are believed, and the one algorithm it is for."""

    kid: str
    arn: str
    algorithm: str
    signs: bool
    public: RSAPublicKey


class KeyRing:
    """What the table says, kept for a while. `ended` tells of keys that were ended since."""

    def __init__(self, table: Table, clock: Clock, ended: Callable[[str], bool] = lambda _: False) -> None:
        self._table = table
        self._clock = clock
        self._ended = ended
        self._keys: dict[str, PublishedKey] = {}
        self._read_at = self._tried_at = -inf

    def find(self, kid: str) -> PublishedKey | None:
        """The key of this name, or None for one that is not ours any more, or never was. Errors: Unavailable."""
        if len(kid) > _LONGEST_KID:
            return None
        self._be_younger_than(_READ_EVERY_S)
        if kid not in self._keys:
            self._be_younger_than(PAUSE_S)
        key = self._keys.get(kid)
        return None if key is None or self._ended(kid) else key

    def signing(self) -> PublishedKey:
        """The key that signs. Errors: Unavailable, while there is none."""
        self._be_younger_than(SIGNER_READS_EVERY_S)
        for again in (False, True):
            if again:
                self.read()
            for key in self._keys.values():
                if key.signs and not self._ended(key.kid):
                    return key
        raise Unavailable("No key signs tokens at present; try again.")

    def published(self) -> list[PublishedKey]:
        """Every key to believe, the signing one first. Errors: Unavailable."""
        self._be_younger_than(PAUSE_S)
        keys = [key for key in self._keys.values() if not self._ended(key.kid)]
        return sorted(keys, key=lambda key: not key.signs)

    def read(self) -> None:
        """Read the table now; what is known stays when it does not answer. Errors: Unavailable, when nothing is."""
        self._tried_at = self._clock().timestamp()
        try:
            item = self._table.get(*RING)
        except AwsError as error:
            if self._read_at == -inf:
                self._tried_at = -inf
                raise Unavailable("Whose token this is cannot be checked now; try again.") from error
            return
        self._read_at = self._tried_at
        found = item["keys"] if item else []
        self._keys = {one["kid"]: self._published(one) for one in found if one["state"] != State.RETIRED}

    def _published(self, item: Item) -> PublishedKey:
        known = self._keys.get(item["kid"])
        public = known.public if known else load_der_public_key(item["public_key"])
        if not isinstance(public, RSAPublicKey):
            raise TypeError(f"the signing key {item['kid']} is not RSA")
        return PublishedKey(item["kid"], item["arn"], item["algorithm"], item["state"] == State.SIGNING, public)

    def _be_younger_than(self, seconds: float) -> None:
        now = self._clock().timestamp()
        if now - self._read_at >= seconds and now - self._tried_at >= PAUSE_S:
            self.read()
