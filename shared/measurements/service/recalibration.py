"""Counts that are there already, calibrated anew."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from shared.measurements.errors import WrongTime
from shared.measurements.model import Recalibrated
from shared.measurements.repository.raw import RawRepository
from shared.sites.model import SensorId, where
from shared.sites.repository.sensors import SensorRepository
from tenant_context.clock import NewId, rfc3339
from tenant_context.events import Event
from tenant_context.postgres import Transaction

Touch = Callable[[Transaction, UUID, datetime, datetime], None]
"""Told of a sensor and a time whose counts are others now."""


class Recalibration:
    """Calibrates counts that are there already, as their sensor's setup has it now."""

    def __init__(
        self, raw: RawRepository, sensors: SensorRepository, new_id: NewId, *, touch: Touch | None = None
    ) -> None:
        self._raw = raw
        self._sensors = sensors
        self._new_id = new_id
        self._touch = touch

    def __call__(self, tx: Transaction, sensor_id: SensorId, start: datetime, end: datetime) -> Recalibrated:
        """Do it for the counts of a time; emits sensor.recalibrated.

        Errors: SensorNotFound, WrongTime, TooManyCounts.
        """
        if end <= start:
            raise WrongTime
        self._raw.hold(tx)
        sensor = self._sensors.lock(tx, sensor_id)
        counts, changed = self._raw.recalibrate(tx, sensor_id, start, end, self._new_id())
        if self._touch is not None and changed:
            self._touch(tx, sensor_id, start, end)
        data = {"id": str(sensor_id), **where(sensor.site_id, sensor.zone_id), "serial": sensor.serial}
        span = {"since": rfc3339(start), "until": rfc3339(end)}
        told = {**data, **span, "rows": counts, "revised": changed}
        tx.emit(Event("sensor.recalibrated", f"sensor/{sensor_id}", told))
        return Recalibrated(counts, changed)
