"""The directory of devices, kept true to PostgreSQL."""

from shared.sites.gateway import Directory
from shared.sites.repository.sensors import SensorRepository
from shared.sites.repository.sites import SiteRepository
from tenant_context.postgres import Transaction


class DirectoryKeeper:
    """Makes the directory of devices say what PostgreSQL says."""

    def __init__(self, sites: SiteRepository, sensors: SensorRepository, directory: Directory) -> None:
        self._sites = sites
        self._sensors = sensors
        self._directory = directory

    def rebuild(self, tx: Transaction) -> dict[str, int]:
        """List again whatever of the tenant's is missing; answers how many entries were, by their kind."""
        return {
            "sites": self._directory.restore(tx.tenant, self._sites.references(tx)),
            "sensors": self._directory.restore_sensors(tx.tenant, self._sensors.listed(tx)),
        }
