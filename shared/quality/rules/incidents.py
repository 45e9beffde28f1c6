"""Incidents: what is wrong on days running is one of them, however its days were found."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

from shared.quality.model import Finding, Incident
from shared.quality.rules.scoring import FASTEST
from tenant_context.clock import NewId

_DAY = timedelta(days=1)
_WORDS: dict[Finding, str] = {
    Finding.MISSING_DAY: (
        "Nothing came for {days}. Look whether the device was switched off or offline; if it keeps counts,"
        " fetch and push them: late counts are taken, and the days are scored anew."
    ),
    Finding.GAP: "Hours are missing on {days}. Fetch them from the device and push them, or look at its network.",
    Finding.FLAT_LINE: (
        "The counter stood still for hours on {days} while people are usual. Look whether the lens is covered or"
        " the device hangs; restart it."
    ),
    Finding.JUMP: (
        "On {days} an hour was more than ten times as busy as the busiest of a usual day, or more people were counted"
        f" than can pass a line ({FASTEST:.0f} a minute). If nothing happened there, look at the counting line, or push"
        " the right counts."
    ),
    Finding.IMBALANCE: (
        "Of those who came to the store, others than those who left were counted in the weeks up to {days}. Look for"
        " a door without a counter, a line that is set up the wrong way round, or calibrate one of the directions."
    ),
    Finding.CLOCK_CHANGE: (
        "Counts of {days} are of local times that do not exist, or exist twice, as the clocks changed. Have the device"
        " send UTC or offsets; what was refused can be sent again with them."
    ),
    Finding.CLOCK_SKEW: "The device's clock was wrong on {days}. Set it by NTP, or have the sensor's time zone mended.",
    Finding.DOUBLED_DAY: (
        "What came for {days} came twice. Each count was taken once, so nothing has to be undone; look for an export"
        " that holds days twice, or two programs that push the same."
    ),
    Finding.OVERLAP: (
        "Intervals of a line overlap on {days}{times}, so who came then is counted twice. Look whether two programs"
        " push the same device, or its interval was changed; push what is too much once more, with nobody in it."
    ),
}


def suggestion(kind: str, first: date, last: date, times: Sequence[str] = ()) -> str:
    """What to do about an incident, in words; `times` are some of those that it is about."""
    days = f"{first.isoformat()}" if first == last else f"{first.isoformat()} to {last.isoformat()}"
    return _WORDS[Finding(kind)].format(days=days, times=f" ({', '.join(times)})" if times else "")


def spans(days: Iterable[date]) -> Iterator[tuple[date, date]]:
    """Days running, as first and last."""
    first = last = None
    for day in sorted(days):
        if last is not None and day != last + _DAY:
            yield first or last, last
            first = None
        first, last = first or day, day
    if last is not None:
        yield first or last, last


def reconcile(
    present: Sequence[Incident],
    found: Mapping[Finding, Sequence[date]],
    newest: date,
    now: datetime,
    fresh: tuple[Incident, NewId],
) -> list[Incident]:
    """What incidents are to be, where that is not what they are; `fresh` is what new ones are made after.

    An incident goes on as long as its last day is the `newest` that was scored; what is found no more is mended.
    """
    changed: list[Incident] = []
    pattern, new_id = fresh
    waiting = sorted(present, key=lambda one: one.found_at)
    for kind, days in found.items():
        for first, last in spans(days):
            known = next(
                (one for one in waiting if one.kind == kind and one.first_day <= last and one.last_day >= first), None
            )
            if known is not None:
                waiting.remove(known)
            ends = last < newest
            before = known or replace(pattern, id=new_id(), kind=kind.value, found_at=now)
            after = replace(
                before,
                first_day=first,
                last_day=last,
                status="closed" if ends else "open",
                reason="ended" if ends else "",
                closed_at=(before.closed_at or now) if ends else None,
            )
            if after != known:
                changed.append(after)
    gone = [one for one in waiting if one.reason != "mended"]
    return changed + [replace(one, status="closed", reason="mended", closed_at=one.closed_at or now) for one in gone]
