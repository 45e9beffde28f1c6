"""Keys of programs and devices, in DynamoDB."""

from datetime import UTC, datetime
from uuid import UUID

from shared.identity.model import ApiKey
from tenant_context.dynamo import Item, Table, tenant_key
from tenant_context.plans import Rate


class ApiKeyRepository:
    """Keys, twice: by prefix for the door, by tenant for the list. The door's item is written last, revoked first."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def add(self, tenant: UUID, key: ApiKey, digest: str, rate: Rate) -> None:
        """Keep a new key, only its HMAC, and how fast its tenant may call."""
        expires = int(key.expires_at.timestamp()) if key.expires_at else 0
        shown: Item = {
            "name": key.name,
            "scopes": list(key.scopes),
            "created_at": key.created_at.isoformat(),
            "valid_until": expires,
            "revoked": False,
            "networks": list(key.networks),
            "tenant": tenant,
            **({"sensor": str(key.sensor)} if key.sensor else {}),
        }
        self._table.put({**shown, "pk": tenant_key(tenant, "keys"), "sk": key.prefix})
        self._table.put({**shown, "pk": f"key#{key.prefix}", "sk": "key", "digest": digest, "rate": rate.claim()})

    def all(self, tenant: UUID) -> list[ApiKey]:
        """The tenant's keys, without their texts."""
        items, start = self._table.query(tenant_key(tenant, "keys"))
        while start:
            more, start = self._table.query(tenant_key(tenant, "keys"), start=start)
            items += more
        return [_key(item) for item in items]

    def find(self, tenant: UUID, prefix: str) -> ApiKey | None:
        """One of the tenant's keys, or None."""
        item = self._table.get(tenant_key(tenant, "keys"), prefix)
        return _key(item) if item else None

    def expire(self, tenant: UUID, prefix: str, until: datetime) -> None:
        """Let a key end at a time, at the door first."""
        for pk, sk in ((f"key#{prefix}", "key"), (tenant_key(tenant, "keys"), prefix)):
            values = {":until": int(until.timestamp())}
            self._table.update(pk, sk, "SET valid_until = :until", values, condition="attribute_exists(pk)")

    def revoke(self, tenant: UUID, prefix: str) -> None:
        """Stop a key, at the door first."""
        for pk, sk in ((f"key#{prefix}", "key"), (tenant_key(tenant, "keys"), prefix)):
            self._table.update(pk, sk, "SET revoked = :yes", {":yes": True}, condition="attribute_exists(pk)")


def _key(item: Item) -> ApiKey:
    expires, used = int(item["valid_until"]), item.get("last_used_at")
    return ApiKey(
        prefix=item["sk"],
        name=item["name"],
        scopes=tuple(item["scopes"]),
        created_at=datetime.fromisoformat(item["created_at"]),
        expires_at=datetime.fromtimestamp(expires, UTC) if expires else None,
        revoked=item["revoked"],
        networks=tuple(item.get("networks", ())),
        last_used_at=datetime.fromtimestamp(int(used), UTC) if used else None,
        sensor=UUID(item["sensor"]) if item.get("sensor") else None,
    )
