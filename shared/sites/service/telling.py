"""What the door of ingest is told, once it is committed."""

from functools import partial

from shared.sites.gateway import Directory
from shared.sites.model import SensorId, SiteId
from shared.sites.repository.sensors import SensorRepository
from tenant_context.errors import PreconditionFailed
from tenant_context.postgres import Transaction


def at_version(present: int, expected: int) -> None:
    """Raise `PreconditionFailed` where somebody changed it since it was read."""
    if present != expected:
        raise PreconditionFailed(f"It is at version {present}; read it again.")


def tell(
    tx: Transaction,
    directory: Directory,
    sensors: SensorRepository,
    *,
    site: SiteId | None = None,
    sensor: SensorId | None = None,
) -> None:
    """Tell the door of new profiles once they are committed: one that was rolled back must not be read by."""
    for listed in sensors.listed(tx, site=site, sensor=sensor):
        tx.after_commit(partial(directory.tell, tx.tenant, listed))
