"""What a sensor is, at the door: whose device, how it counts, when it was heard of."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.sensors.model import CountRow, ReadingRow, SilentRow, Sorted
from shared.sensors.rules.refusing import refuse
from shared.sites.model import Known


def as_readings(rows: Sorted[CountRow], known: Mapping[str, Known]) -> Sorted[ReadingRow]:
    """Take the rows of cumulative counters out: each tells where the counter stood at its end."""
    readings: Sorted[ReadingRow] = Sorted()
    sensors = {one: sensor.profile for one, sensor in known.items() if sensor.profile.setup.counting == "cumulative"}
    if not sensors:
        return readings
    for index, row in rows.taken:
        if profile := sensors.get(row.sensor):
            since = profile.setup.begun(profile.zone, row.end)
            readings.taken.append((index, ReadingRow(row.sensor, row.end, row.entries, row.exits, row.line, since)))
    rows.taken = [(index, row) for index, row in rows.taken if row.sensor not in sensors]
    return readings


def calibrated(row: CountRow, sensor: Known) -> CountRow:
    """The row with its counts as its sensor's calibration of the time has them."""
    setup = sensor.profile.setup
    if not setup.calibrations:
        return row
    entries, exits = (setup.calibrated(count, row.start) for count in (row.entries, row.exits))
    return CountRow(row.sensor, row.start, row.end, entries, exits, row.line)


def keep_to_devices(rows: Sorted[Any], known: Mapping[str, Known], bound: str) -> None:
    """Refuse what a device measured when it was not the sensor, and what a key of another sensor's device says.

    `bound` is the id of the only sensor that the key may push for; any, when empty.
    """
    if not bound and not any(one.since or one.until for one in known.values()):
        return
    kept = []
    for index, row in rows.taken:
        fault = _device_fault(known.get(row.sensor), row.start if isinstance(row, CountRow) else row.at, bound)
        if fault is None:
            kept.append((index, row))
        else:
            rows.refused.append(refuse(index, *fault, row))
    rows.taken = kept


def _device_fault(sensor: Known | None, moment: datetime, bound: str) -> tuple[str, str, str] | None:
    if sensor is None:
        return None
    if bound and str(sensor.id) != bound:
        return "sensor", "not-this-device", "is not the sensor whose key this is"
    if sensor.until is not None and moment >= sensor.until:
        return "start", "device-replaced", "was measured after this device was replaced by another"
    if sensor.since is not None and moment < sensor.since:
        return "start", "before-device", "was measured before this device took another's place; name the sensor's id"
    return None


def heard(rows: Sorted[CountRow], readings: Sorted[ReadingRow], known: Mapping[str, Known]) -> dict[UUID, datetime]:
    """The newest moment that each sensor tells of, rows of the future among them: a clock may be wrong."""
    newest: dict[UUID, datetime] = {}
    told = [(row.sensor, row.start if isinstance(row, SilentRow) else row.end) for _, row in rows.taken]
    told += [(row.sensor, row.at) for _, row in readings.taken]
    for reference, moment in told:
        sensor = known.get(reference)
        if sensor is not None and sensor.until is None and (newest.get(sensor.id) or moment) <= moment:
            newest[sensor.id] = moment
    return newest
