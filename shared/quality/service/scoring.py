"""Scores of days that are over, and the incidents that follow from them."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from shared.hours.model import Hours
from shared.hours.rules import first_shown, openings
from shared.quality.model import Counted, Incident, Tally, Verdict, Watched
from shared.quality.repository.days import DayRepository
from shared.quality.repository.incidents import IncidentRepository
from shared.quality.rules.incidents import reconcile
from shared.quality.rules.scoring import BASELINE_DAYS, Judge, four_weeks
from shared.quality.service.telling import tell
from shared.sites.model import where
from tenant_context.clock import NewId
from tenant_context.postgres import Transaction

DAYS_A_RUN = 5_000
"""Days of sensors that a run scores; what is left waits for the next, of which there are four an hour."""
_DAYS_AT_ONCE = 400
_WEEKS = timedelta(days=BASELINE_DAYS)
_ONE_DAY = timedelta(days=1)


class Scoring:
    """One tenant's share of scoring: days that are over and for which something came, or should have."""

    def __init__(self, days: DayRepository, incidents: IncidentRepository, new_id: NewId) -> None:
        self._days = days
        self._incidents = incidents
        self._new_id = new_id

    def __call__(self, tx: Transaction) -> dict[str, Any]:
        """Score what waits, and bring the incidents in line; answers how many days, and of how many sensors.

        A day that was scored is scored again only once something more came for it. Emits sensor.incident_opened and
        sensor.incident_closed.
        """
        self._days.fill(tx)
        due = self._days.due(tx, DAYS_A_RUN)
        for sensor in self._days.watched(tx, list(due)):
            for tallies in _chunks(due[sensor.id]):
                verdicts = list(self._verdicts(tx, sensor, tallies))
                self._days.keep(tx, sensor.id, tallies, verdicts)
            self._reconcile(tx, sensor)
        return {"days": sum(map(len, due.values())), "sensors": len(due)}

    def _verdicts(self, tx: Transaction, sensor: Watched, tallies: Sequence[Tally]) -> Iterator[Verdict]:
        first, last = tallies[0].day - _WEEKS, tallies[-1].day
        counted = self._days.counted(tx, sensor, first, last)
        balances = self._days.of_place(tx, sensor, first, last)
        calendar = _Calendar(sensor)
        judge = Judge(sensor.interval_minutes)
        by_day = {one.day: one for one in tallies}
        yesterday = tx.now.astimezone(calendar.zone).date() - _ONE_DAY
        for ahead in range((last - first).days + 1):
            day = first + ahead * _ONE_DAY
            hours = counted.get(day, [])
            one = Counted(
                day,
                tuple(hour for hour, _ in hours),
                sum(rows for _, rows in hours),
                calendar.expected(day) if day in by_day else {},
            )
            if day in by_day:
                balance = four_weeks(balances, day)
                yield judge.score(one, by_day[day], balance, skewed=sensor.skewed and day == yesterday)
            else:
                judge.remember(one)

    def _reconcile(self, tx: Transaction, sensor: Watched) -> None:
        present = self._incidents.present(tx, sensor.id)
        found, newest = self._incidents.found(tx, sensor.id)
        if newest is None:
            return
        pattern = Incident(self._new_id(), sensor.id, "", newest, newest, "open", "", tx.now, None)
        changed = reconcile(present, found, newest, tx.now, (pattern, self._new_id))
        self._incidents.keep(tx, changed)
        tell(tx, where(sensor.site_id, sensor.zone_id), present, changed)


def _chunks(tallies: Sequence[Tally]) -> Iterator[list[Tally]]:
    """Days near one another, so that what is read around them is no more than a year."""
    for _, group in groupby(tallies, key=lambda one: one.day.toordinal() // _DAYS_AT_ONCE):
        yield list(group)


class _Calendar:
    """In which hours of a day counts are to come: all of them, or those in which the store is open."""

    def __init__(self, sensor: Watched) -> None:
        self.zone = ZoneInfo(sensor.time_zone)
        self._hours = msgspec.convert(sensor.hours, Hours) if sensor.hours else None

    def expected(self, day: date) -> dict[int, int]:
        """Minutes by number of the hour, from the day's midnight on."""
        start, end = self._midnight(day), self._midnight(day + _ONE_DAY)
        minutes = round((end - start) / timedelta(minutes=1))
        whole = {number: min(60, minutes - 60 * number) for number in range((minutes + 59) // 60)}
        if self._hours is None:
            return whole
        open_in: dict[int, int] = {}
        for one in openings(self._hours, self.zone, day):
            for number in whole:
                begins = start + timedelta(hours=number)
                shared = min(one.end, begins + timedelta(hours=1), end) - max(one.start, begins)
                if shared > timedelta(0):
                    open_in[number] = open_in.get(number, 0) + round(shared / timedelta(minutes=1))
        return open_in

    def _midnight(self, day: date) -> datetime:
        return first_shown(self.zone, datetime.combine(day, datetime.min.time()))
