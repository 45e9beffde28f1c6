"""The door of the ingest line: takes a push and queues what is good of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any, Protocol
from uuid import UUID

from shared.sensors import rules
from shared.sensors.gateway import BatchQueue, beat_row, count_row, doubled_row, reading_row, transaction_row
from shared.sensors.model import (
    Beats,
    CountRow,
    HeartbeatRow,
    ReadingRow,
    Receipt,
    Refused,
    Sorted,
    TransactionRow,
)
from shared.sites.model import Known
from tenant_context.aws import AwsError
from tenant_context.clock import Clock, NewId
from tenant_context.context import TenantContext
from tenant_context.errors import Forbidden

Find = Callable[[TenantContext, str, set[str]], dict[str, UUID]]
"""Answers the ids behind the tenant's references that exist; the kind is `sensors` or `sites`."""
Look = Callable[[TenantContext, set[str]], Mapping[str, Known]]
"""Answers the sensors behind the references that exist, and how each is read."""


class Rows(Protocol):
    """Holds tenants to the rows of a day."""

    def take(self, tenant: UUID, limit: int | None, rows: int) -> dict[str, str]:
        """Take a push's rows; answers what header fields say of the rest. Errors: RowsOfDayTaken."""

    def give_back(self, tenant: UUID, rows: int) -> None:
        """What was not kept after all."""


class Ingest:
    """Takes pushes: validates every row, queues the good ones, tells of the others."""

    def __init__(
        self,
        find: Find,
        look: Look,
        counts: BatchQueue,
        transactions: BatchQueue,
        clock: Clock,
        new_id: NewId,
        *,
        rows: Rows,
    ) -> None:
        self._find = find
        self._look = look
        self._counts = counts
        self._transactions = transactions
        self._clock = clock
        self._new_id = new_id
        self._rows = rows

    def take_counts(self, tenant: TenantContext, rows: Sorted[CountRow]) -> Receipt:
        """Queue counts. The receipt is given only after the queue has them; else AwsError.

        Errors: RowsOfDayTaken; then none of them is taken.
        """
        known = self._look(tenant, {row.sensor for _, row in rows.taken})
        ignored = rules.by_lines(rows, known)
        receipt = self.take_known(tenant, rows, rules.as_readings(rows, known), known)
        return replace(receipt, ignored=ignored) if ignored else receipt

    def take_known(
        self, tenant: TenantContext, rows: Sorted[CountRow], readings: Sorted[ReadingRow], known: Mapping[str, Known]
    ) -> Receipt:
        """Queue intervals, calibrated, and counters' standings of sensors that are looked up already, likewise."""
        now, first = self._clock(), len(rows.refused)
        bound = tenant.scopes.get("sensor", "")
        rules.keep_to_devices(rows, known, bound)
        rules.keep_to_devices(readings, known, bound)
        beats = [beat_row(sensor, newest) for sensor, newest in rules.heard(rows, readings, known).items()]
        sensors = {reference: sensor.id for reference, sensor in known.items()}
        kept, standings = rules.sift_counts(rows, sensors, now), rules.sift_readings(readings, sensors, now)
        rules.settled(rows, known, first)
        encoded = [count_row(rules.calibrated(row, known[row.sensor]), sensor, row) for _, row, sensor in kept]
        encoded += [reading_row(row, sensor) for _, row, sensor in standings]
        accepted = sum(rows.size(index) for index, _, _ in kept)
        accepted += sum(readings.size(index) for index, _, _ in standings)
        rows.duplicates += readings.duplicates
        rows.refused += readings.refused
        rows.members |= readings.members
        doubled = self._doubled([*rows.repeated, *readings.repeated], known)
        return self._send(tenant, self._counts, rows, encoded, accepted, beats, doubled)

    @staticmethod
    def _doubled(repeated: Sequence[tuple[str, datetime]], known: Mapping[str, Known]) -> list[bytes]:
        """What was dropped as said before, by sensor and day: the processor sees none of it else."""
        if not repeated:
            return []
        from zoneinfo import ZoneInfo  # noqa: PLC0415  zones are nothing for who repeats nothing

        days: dict[tuple[UUID, date], tuple[datetime, int]] = {}
        for reference, moment in repeated:
            sensor = known[reference]
            day = moment.astimezone(ZoneInfo(sensor.profile.zone or "UTC")).date()
            first, times = days.get((sensor.id, day), (moment, 0))
            days[sensor.id, day] = (first, times + 1)
        return [doubled_row(sensor, first, times) for (sensor, _), (first, times) in days.items()]

    def beat(self, tenant: TenantContext, beats: Sequence[HeartbeatRow]) -> Beats:
        """Note that sensors are there, counting or not. Answers how many were known, and the places of the others."""
        known = self._look(tenant, {one.sensor for one in beats})
        bound = tenant.scopes.get("sensor", "")
        unknown = {
            place
            for place, one in enumerate(beats)
            if one.sensor not in known or (bound and str(known[one.sensor].id) != bound)
        }
        heard = {known[one.sensor].id: one for place, one in enumerate(beats) if place not in unknown}
        if heard:
            rows = [beat_row(sensor, None, one.time) for sensor, one in heard.items()]
            self._counts.send(tenant, self._new_id(), self._clock(), (), (), 0, rows)
        return Beats(len(beats) - len(unknown), tuple(sorted(unknown)))

    def take_transactions(self, tenant: TenantContext, rows: Sorted[TransactionRow]) -> Receipt:
        """Queue receipts, likewise. Errors: RowsOfDayTaken, Forbidden (of a sensor's device)."""
        if tenant.scopes.get("sensor"):
            raise Forbidden("This is the key of a sensor's device; tills have keys of their own.")
        now = self._clock()
        sites = self._find(tenant, "sites", {row.site for _, row in rows.taken})
        kept = rules.sift_transactions(rows, sites, now)
        encoded = [(index, row, transaction_row(row, site)) for index, row, site in kept]
        taken = rules.small_enough(rows, encoded)
        accepted = sum(rows.size(index) for index, _ in taken)
        return self._send(tenant, self._transactions, rows, [row for _, row in taken], accepted)

    def _send(
        self,
        tenant: TenantContext,
        queue: BatchQueue,
        rows: Sorted[Any],
        encoded: list[bytes],
        accepted: int,
        beats: Sequence[bytes] = (),
        doubled: Sequence[bytes] = (),
    ) -> Receipt:
        batch = self._new_id()
        refused: tuple[Refused, ...] = rules.refusals(rows)
        limited = self._rows.take(tenant.tenant, tenant.rate.rows_per_day, accepted)
        try:
            queue.send(tenant, batch, self._clock(), encoded, refused, rows.duplicates, beats, doubled)
        except AwsError:
            self._rows.give_back(tenant.tenant, accepted)
            raise
        return Receipt(batch, accepted, rows.duplicates, refused, limited)
