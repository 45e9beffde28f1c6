"""Keys of sensors' devices: each opens the door of ingest for one sensor."""

from collections.abc import Callable
from dataclasses import replace

from shared.identity.model import ApiKey
from shared.identity.repository.keys import ApiKeyRepository
from shared.sites.errors import SensorRetired
from shared.sites.model import SensorId
from shared.sites.repository.sensors import SensorRepository
from tenant_context.api_keys import key_hash, make_key
from tenant_context.events import Event
from tenant_context.postgres import Transaction

SCOPE = "ingest.write"


class DeviceKeys:
    """Makes and revokes the keys of sensors; `stage` and `pepper` are what keys are made with."""

    def __init__(
        self, sensors: SensorRepository, keys: ApiKeyRepository, *, stage: str, pepper: Callable[[], str]
    ) -> None:
        self._sensors = sensors
        self._keys = keys
        self._stage = stage
        self._pepper = pepper

    def make(self, tx: Transaction, sensor_id: SensorId) -> ApiKey:
        """A key for a sensor's device, whose text is in the answer and nowhere else; the one before it is revoked.

        Errors: SensorNotFound, SensorRetired, Forbidden (of somebody who may not push).
        """
        tx.tenant.require(SCOPE)
        before = self._sensors.lock(tx, sensor_id)
        if before.status != "active":
            raise SensorRetired
        made = make_key(self._stage)
        key = ApiKey(
            prefix=made.prefix,
            name=before.name,
            scopes=(SCOPE,),
            created_at=tx.now,
            expires_at=None,
            revoked=False,
            text=made.text,
            sensor=sensor_id,
        )
        after = replace(before, key_prefix=key.prefix, version=before.version + 1, updated_at=tx.now)
        self._sensors.update(tx, after)
        digest = key_hash(made.text, self._pepper())
        # As keys of programs: one that was kept and not told of would open doors.
        tx.after_commit(lambda: self._keys.add(tx.tenant.tenant, key, digest, tx.tenant.rate))
        if before.key_prefix is not None:
            self.revoke(tx, before.key_prefix)
        data = {"prefix": key.prefix, "name": key.name, "scopes": list(key.scopes)}
        tx.emit(Event("security.api_key_created", f"api-key/{key.prefix}", data))
        return key

    def revoke(self, tx: Transaction, prefix: str) -> None:
        """Stop a key of the tenant's; one that is gone is no error.

        Before the commit: a sandbox that died after it would leave the old device its key.
        """
        # Looked for among the tenant's own: a row that came by an import may name somebody else's.
        if self._keys.find(tx.tenant.tenant, prefix) is None:
            return
        self._keys.revoke(tx.tenant.tenant, prefix)
        tx.emit(Event("security.api_key_revoked", f"api-key/{prefix}", {"prefix": prefix}))
