"""Keys of programs and devices."""

from datetime import datetime, timedelta

from shared.identity.errors import ApiKeyNotFound, KeyExpiresInThePast, KeyOfADevice, ScopeNotHeld, UnknownPermissions
from shared.identity.model import ApiKey
from shared.identity.repository.keys import ApiKeyRepository
from shared.identity.repository.members import MemberRepository
from shared.identity.service.sessions import Issuer
from tenant_context.api_keys import is_prefix, key_hash, make_key
from tenant_context.clock import rfc3339
from tenant_context.context import TenantContext
from tenant_context.events import Event
from tenant_context.permissions import covers, is_known
from tenant_context.postgres import Transaction


class ApiKeys:
    """Keys of programs and devices."""

    def __init__(self, keys: ApiKeyRepository, members: MemberRepository, issuer: Issuer, pepper: str) -> None:
        self._keys = keys
        self._members = members
        self._issuer = issuer
        self._pepper = pepper

    def make(
        self,
        tx: Transaction,
        name: str,
        scopes: tuple[str, ...],
        *,
        expires_at: datetime | None = None,
        networks: tuple[str, ...] = (),
    ) -> ApiKey:
        """A new key, whose text is in the answer and nowhere else.

        Errors: UnknownPermissions, ScopeNotHeld, KeyExpiresInThePast.
        """
        if expires_at is not None and expires_at <= tx.now:
            raise KeyExpiresInThePast
        unknown = [position for position, scope in enumerate(scopes) if not is_known(scope)]
        if unknown:
            raise UnknownPermissions(unknown, "scopes")
        if not covers(self._members.held(tx), frozenset(scopes)):
            raise ScopeNotHeld
        made = make_key(self._issuer.stage)
        key = ApiKey(made.prefix, name, scopes, tx.now, expires_at, revoked=False, networks=networks, text=made.text)
        digest = key_hash(made.text, self._pepper)
        # A key that was told of and not kept can be made again; one that was kept and not told of would open doors.
        tx.after_commit(lambda: self._keys.add(tx.tenant.tenant, key, digest, tx.tenant.rate))
        data = {"prefix": key.prefix, "name": name, "scopes": list(scopes)}
        tx.emit(Event("security.api_key_created", f"api-key/{key.prefix}", data))
        return key

    def rotate(self, tx: Transaction, prefix: str, grace: timedelta) -> ApiKey:
        """A key like an existing one, which itself goes on for a while.

        Errors: ApiKeyNotFound, ScopeNotHeld, KeyOfADevice.
        """
        old = self._keys.find(tx.tenant.tenant, prefix) if is_prefix(prefix) else None
        if old is None or old.revoked or (old.expires_at is not None and old.expires_at <= tx.now):
            raise ApiKeyNotFound
        if old.sensor is not None:
            raise KeyOfADevice
        key = self.make(tx, old.name, old.scopes, expires_at=old.expires_at, networks=old.networks)
        until = tx.now + grace if old.expires_at is None else min(tx.now + grace, old.expires_at)
        tx.after_commit(lambda: self._keys.expire(tx.tenant.tenant, prefix, until))
        data = {"prefix": prefix, "replaced_by": key.prefix, "until": rfc3339(until)}
        tx.emit(Event("security.api_key_rotated", f"api-key/{prefix}", data))
        return key

    def all(self, tenant: TenantContext) -> list[ApiKey]:
        """The tenant's keys."""
        return self._keys.all(tenant.tenant)

    def revoke(self, tx: Transaction, prefix: str) -> None:
        """Stop a key within ten seconds. Errors: ApiKeyNotFound."""
        if not is_prefix(prefix) or self._keys.find(tx.tenant.tenant, prefix) is None:
            raise ApiKeyNotFound
        self._keys.revoke(tx.tenant.tenant, prefix)
        tx.emit(Event("security.api_key_revoked", f"api-key/{prefix}", {"prefix": prefix}))
