"""Occupancy, as functions use it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from shared.figures.model import Place
from shared.figures.repository import FigureRepository
from shared.hours.model import Hours
from shared.occupancy import rules
from shared.occupancy.errors import NotAStoreOrZone, TooManyLimits, TooManyStores
from shared.occupancy.model import Course, Day, Inside, Limit, Now
from shared.occupancy.repository import EVERYBODY, InsideRepository, LimitRepository
from tenant_context.clock import rfc3339
from tenant_context.errors import PreconditionFailed
from tenant_context.events import Event
from tenant_context.postgres import Transaction

AT_MOST = 2_000
"""Limits of a tenant."""
MOST_STORES = 5_000
"""Stores that are added up at once."""
_WITH_DAYS = frozenset({"site", "zone"})
_BEFORE = timedelta(days=rules.BIAS_DAYS)


class Occupancy:
    """Reads who is inside the caller's places."""

    def __init__(self, figures: FigureRepository, limits: LimitRepository) -> None:
        self._figures = figures
        self._limits = limits
        self._inside = InsideRepository()

    def now(self, tx: Transaction, site: UUID) -> Now:
        """Who is inside, by the newest that was measured; of districts and regions, inside their stores.

        Errors: PlaceNotFound, TooManyStores.
        """
        place = self._figures.place(tx, site)
        if place.kind not in _WITH_DAYS:
            return self._of_stores(tx, site, place.time_zone)
        hours, zone = _hours(place), ZoneInfo(place.time_zone)
        day = rules.day_of(hours, zone, tx.now)
        today = self._inside.today(tx, [place], [day], _BEFORE)[site]
        bias = rules.bias_of(today.before)
        raw, corrected = rules.inside(today.entries, today.exits, bias)
        newest = today.newest or self._figures.newest(tx, site, tx.now)
        limit = self._limits.find(tx, site)
        return Now(
            site=place.id,
            time_zone=place.time_zone,
            since=day.start,
            entries=today.entries,
            exits=today.exits,
            raw=raw,
            occupancy=corrected,
            bias=round(bias, 4),
            as_of=today.newest + rules.QUARTER if today.newest else None,
            freshness=None if newest is None else newest + rules.QUARTER,
            capacity=limit.capacity if limit else None,
            limit_reached=limit.reached if limit else False,
            coverage=rules.coverage([today]),
        )

    def everybody(self, tx: Transaction) -> Now:
        """Who is inside all of the organization's stores. Errors: TooManyStores."""
        return self._of_stores(tx, EVERYBODY, self._inside.clock(tx))

    def _of_stores(self, tx: Transaction, place: UUID, time_zone: str) -> Now:
        stores = self._inside.stores(tx, place, MOST_STORES + 1)
        if len(stores) > MOST_STORES:
            raise TooManyStores
        days = [rules.day_of(_hours(store), ZoneInfo(store.time_zone), tx.now) for store in stores]
        told = list(self._inside.today(tx, stores, days, _BEFORE).values()) if stores else []
        known = [one for one in told if one.newest is not None]
        sums = [rules.inside(one.entries, one.exits, rules.bias_of(one.before)) for one in known]
        newest = sorted(one.newest + rules.QUARTER for one in known if one.newest)
        return Now(
            site=None if place == EVERYBODY else place,
            time_zone=time_zone,
            since=None,
            entries=sum(one.entries for one in known),
            exits=sum(one.exits for one in known),
            raw=sum(raw for raw, _ in sums),
            occupancy=sum(corrected for _, corrected in sums),
            bias=None,
            as_of=newest[0] if newest else None,
            freshness=newest[-1] if newest else None,
            capacity=None,
            limit_reached=None,
            coverage=rules.coverage(known),
            stores=len(stores),
            known=len(known),
        )

    def series(self, tx: Transaction, site: UUID, start: datetime, end: datetime, step: timedelta) -> Course:
        """Who was inside, in steps that follow from each day's beginning. Errors: those of `now`, WrongSpan."""
        rules.check_span(start, end)
        place, hours, zone = self._place(tx, site)
        points: list[Inside] = []
        for day in rules.days_of(hours, zone, start, min(end, tx.now)):
            flows = self._figures.flows(tx, site, day.start, min(day.end, tx.now))
            over = day.end <= tx.now
            bias = rules.left_over(flows) if over else self._bias(tx, place, day)
            counted = flows[-1].start + rules.QUARTER if flows else day.start
            until = day.end if over and flows else counted
            points += [
                one for one in rules.steps(flows, day, bias, step, until) if start <= one.start < min(end, tx.now)
            ]
        newest = self._figures.newest(tx, site, tx.now)
        covered = self._inside.counted(tx, place, *rules.quarters_of(start, end, tx.now))
        fresh = None if newest is None else newest + rules.QUARTER
        return Course(place, points, fresh, rules.share(*covered))

    def _bias(self, tx: Transaction, place: Place, day: Day) -> float:
        """What the counters of a place left over in the two weeks before a day."""
        return rules.bias_of(self._inside.before(tx, place, day, _BEFORE))

    def at(self, tx: Transaction, site: UUID, moment: datetime) -> tuple[Day, int]:
        """The day that a quarter of an hour is in, and who was inside at its end."""
        place, hours, zone = self._place(tx, site)
        day = rules.day_of(hours, zone, moment)
        sums = self._figures.sums(tx, site, zone, day.start, moment + rules.QUARTER)
        _, corrected = rules.inside(sums.entries or 0, sums.exits or 0, self._bias(tx, place, day))
        return day, corrected

    def _place(self, tx: Transaction, site: UUID) -> tuple[Place, Hours | None, ZoneInfo]:
        place = self._figures.place(tx, site)
        if place.kind not in _WITH_DAYS:
            raise NotAStoreOrZone
        return place, _hours(place), ZoneInfo(place.time_zone)


def _hours(place: Place) -> Hours | None:
    return msgspec.convert(place.hours, Hours) if place.hours else None


class Limits:
    """Keeps how many may be inside, and tells when they are: once as it is reached, once as it is cleared."""

    def __init__(self, figures: FigureRepository, limits: LimitRepository, occupancy: Occupancy) -> None:
        self._figures = figures
        self._limits = limits
        self._occupancy = occupancy

    def show(self, tx: Transaction, site: UUID) -> Limit | None:
        """A place's limit. Errors: PlaceNotFound, NotAStoreOrZone."""
        self._kind(tx, site)
        return self._limits.find(tx, site)

    def keep(self, tx: Transaction, site: UUID, capacity: int, clear_at: int, version: int) -> Limit:
        """Another limit, or the first one (of version 0 before); whether it is reached is told by what comes next.

        Errors: PlaceNotFound, NotAStoreOrZone, WrongLimit, PreconditionFailed, TooManyLimits.
        """
        rules.check_limit(capacity, clear_at)
        self._kind(tx, site)
        before = self._limits.find(tx, site, hold=True)
        if (before.version if before else 0) != version:
            raise PreconditionFailed(f"It is at version {before.version if before else 0}; read it again.")
        if before is None and self._limits.count(tx) >= AT_MOST:
            raise TooManyLimits(f"There are {AT_MOST} limits, which is as many as there may be.")
        fresh = Limit(
            site, capacity, clear_at, reached=False, changed_at=None, measured_until=None, version=0, updated_at=tx.now
        )
        after = replace(before or fresh, capacity=capacity, clear_at=clear_at, version=version + 1, updated_at=tx.now)
        self._limits.keep(tx, after)
        tx.emit(_event("occupancy.limit_changed", after, {"version": after.version}))
        return after

    def forget(self, tx: Transaction, site: UUID) -> None:
        """No limit any more; none is no error. Errors: PlaceNotFound, NotAStoreOrZone."""
        self._kind(tx, site)
        before = self._limits.find(tx, site, hold=True)
        if before is not None:
            self._limits.forget(tx, site)
            tx.emit(Event("occupancy.limit_removed", f"site/{site}", {"site_id": str(site)}))

    def judge(self, tx: Transaction, newest: Mapping[UUID, datetime]) -> None:
        """Tell of limits that are reached, or not any more, by what sensors told newest.

        Judged is the newest quarter of an hour alone: what comes late, and what comes again, tells nothing new.
        """
        for limit, told in self._limits.of_sensors(tx, newest):
            known = limit.measured_until
            if known is None or told >= known:
                self._judge(tx, limit, self._newest(tx, limit))

    def sweep(self, tx: Transaction) -> int:
        """The same for what was left behind, and for days that are over; answers how many changed."""
        changed = 0
        for limit in self._limits.all(tx):
            newest = self._newest(tx, limit)
            if newest != limit.measured_until or self._is_past(tx, limit):
                changed += self._judge(tx, limit, newest)
        return changed

    def _is_past(self, tx: Transaction, limit: Limit) -> bool:
        """Whether a limit was reached on a day that is over."""
        if not limit.reached or limit.measured_until is None:
            return False
        day, _ = self._occupancy.at(tx, limit.site_id, limit.measured_until)
        return day.end <= tx.now

    def _newest(self, tx: Transaction, limit: Limit) -> datetime | None:
        newest = self._figures.newest(tx, limit.site_id, tx.now + rules.QUARTER)
        known = [one for one in (newest, limit.measured_until) if one is not None]
        return max(known, default=None)

    def _judge(self, tx: Transaction, limit: Limit, newest: datetime | None) -> bool:
        if newest is None:
            return False
        day, inside = self._occupancy.at(tx, limit.site_id, newest)
        over = day.end <= tx.now
        # Nobody is inside from a day before.
        inside = 0 if over else inside
        reached = rules.is_reached(inside, limit.capacity, limit.clear_at, reached=limit.reached)
        changed = reached != limit.reached
        moment = day.end if over else newest + rules.QUARTER
        after = replace(limit, reached=reached, measured_until=newest)
        after = replace(after, changed_at=moment) if changed else after
        if after != limit:
            self._limits.keep(tx, after)
        if changed:
            told = {"occupancy": inside, "measured_at": rfc3339(moment)}
            tx.emit(_event("occupancy.limit_reached" if reached else "occupancy.limit_cleared", after, told))
        return changed

    def _kind(self, tx: Transaction, site: UUID) -> None:
        if self._figures.place(tx, site).kind not in _WITH_DAYS:
            raise NotAStoreOrZone


def _event(kind: str, limit: Limit, more: Mapping[str, object]) -> Event:
    data = {"site_id": str(limit.site_id), "capacity": limit.capacity, "clear_at": limit.clear_at, **more}
    return Event(kind, f"site/{limit.site_id}", data)
