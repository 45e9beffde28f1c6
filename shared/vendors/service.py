"""The door of vendors' pushes: read, brought to rows, and handed to the door of counts."""

from collections.abc import Callable
from dataclasses import dataclass

from shared.sensors.model import CountRow, HeartbeatRow, ReadingRow, Receipt, Refused, Sorted
from shared.sensors.service import Ingest, Look
from shared.sites.model import Columns, Known
from shared.vendors.errors import SensorNeeded
from shared.vendors.model import Push
from tenant_context.context import TenantContext

Read = Callable[[Columns | None], Push]


@dataclass(frozen=True, slots=True)
class Taken:
    """What was recognised, and what became of its rows; without a receipt there was nothing to count."""

    vendor: str
    form: str
    ignored: int
    receipt: Receipt | None


class Vendors:
    """Takes pushes in vendors' formats."""

    def __init__(self, ingest: Ingest, look: Look) -> None:
        self._ingest = ingest
        self._look = look

    def take(self, tenant: TenantContext, read: Read, named: str | None) -> Taken:
        """Queue a push, likewise. `named` is the sensor of the address. Errors: SensorNeeded, those of `read`."""
        from shared.vendors.rules.settle import settle, told, unread  # noqa: PLC0415  zones are nothing for pushes of our own

        # A CSV is read by its sensor's mapping, so the sensor comes first where the address names it.
        found = dict(self._look(tenant, {named})) if named else {}
        known = found.get(named) if named else None
        push = read(known.profile.setup.csv if known else None)
        references = (named,) if named else push.references
        if not push.records and not push.refused and not (push.alive and references):
            self._hear(tenant, references)
            return Taken(push.vendor, push.form, push.ignored, None)
        if not references:
            raise SensorNeeded
        if not named:
            found = dict(self._look(tenant, set(references)))
            known = next((found[one] for one in references if one in found), None)
        reference = references[0]
        intervals: Sorted[CountRow] = Sorted()
        readings: Sorted[ReadingRow] = Sorted()
        if known is None:
            names = (reference, *push.references)
            intervals.refused += unread(push, names)
            _refuse(push, [told(record, push.form, names) for record in push.records], intervals)
        else:
            intervals, readings = settle(push, reference, known.profile)
        if not intervals.taken and not intervals.refused and not readings.taken:
            self._hear(tenant, references)
            return Taken(push.vendor, push.form, push.ignored, None)
        sensors: dict[str, Known] = {reference: known} if known else {}
        receipt = self._ingest.take_known(tenant, intervals, readings, sensors)
        return Taken(push.vendor, push.form, push.ignored, receipt)

    def _hear(self, tenant: TenantContext, references: tuple[str, ...]) -> None:
        """Note that a device is there that had nothing to count, where it says which it is."""
        known = self._look(tenant, set(references)) if references else {}
        if reference := next((one for one in references if one in known), None):
            self._ingest.beat(tenant, [HeartbeatRow(reference)])


def _refuse(push: Push, contents: list[dict[str, object]], rows: Sorted[CountRow]) -> None:
    message = "no active sensor has the id or serial that the push names"
    for record, content in zip(push.records, contents, strict=True):
        rows.refused.append(Refused(record.row, "sensor", "unknown-sensor", message, content))
