"""Scores and incidents, as they are shown."""

from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from shared.quality.errors import WrongDays
from shared.quality.model import Finding, Shown
from shared.quality.repository.days import DayRepository
from shared.quality.repository.incidents import IncidentRepository
from shared.quality.rules.incidents import suggestion
from tenant_context.context import TenantContext
from tenant_context.postgres import Database

_TIMES = 3
"""Of an incident, in its suggestion."""
MOST_DAYS = 400
"""Days in one answer."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which incidents."""

    sensor: UUID | None = None
    site: UUID | None = None
    kind: Finding | None = None
    status: str | None = None


class Quality:
    """Reads scores and incidents."""

    def __init__(self, database: Database, days: DayRepository, incidents: IncidentRepository) -> None:
        self._database = database
        self._days = days
        self._incidents = incidents

    def days(self, tenant: TenantContext, sensor: UUID, first: date, last: date) -> bytes:
        """The JSON of a sensor's days, newest first. Errors: SensorNotFound, WrongDays."""
        if last < first:
            raise WrongDays("range-order", "must not be before from")
        if (last - first).days >= MOST_DAYS:
            raise WrongDays("range-too-long", f"gives more than {MOST_DAYS} days")
        rows = self._days.show(self._database, tenant, sensor, first, last)
        return f'{{"sensor":"{sensor}","items":[{",".join(rows)}]}}'.encode()

    def incidents(self, tenant: TenantContext, wanted: Wanted, *, after: UUID | None, limit: int) -> list[Shown]:
        """Incidents, the newest found first, each with what to do about it."""
        rows = self._incidents.page(
            self._database,
            tenant,
            sensor=wanted.sensor,
            site=wanted.site,
            kind=wanted.kind,
            status=wanted.status,
            after=after,
            limit=limit,
        )
        return [_shown(*row) for row in rows]


def _shown(
    incident: UUID,
    sensor: UUID,
    site: UUID,
    kind: str,
    first: date,
    last: date,
    status: str,
    reason: str,
    *told: Any,
) -> Shown:
    found_at, closed_at, times = told
    words = suggestion(kind, first, last, [*times[:_TIMES], "and others"] if len(times) > _TIMES else times)
    length = (last - first).days + 1
    return Shown(incident, sensor, site, kind, first, last, length, status, reason, words, found_at, closed_at)
