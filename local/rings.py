"""A ring of signing keys for benchmarks and tests, which make their own key."""

from typing import Any

from shared.signing.gateway import ALGORITHM
from shared.signing.model import Key, Ring
from shared.signing.repository import RingRepository
from tenant_context.dynamo import Table
from tenant_context.key_ring import State


def publish(table: Table, kms: Any, kid: str) -> None:
    """Write a ring whose one key, which KMS (a boto3 client) knows by this id, signs."""
    public = kms.get_public_key(KeyId=kid)["PublicKey"]
    key = Key(kid, kid, ALGORITHM, public, State.SIGNING, made_at=0, signing_at=0)
    RingRepository(table).save(Ring(keys=(key,)))
