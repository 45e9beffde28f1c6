"""A push and what is known of its sensor, brought to rows like everybody's."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import msgspec

from shared.sensors.model import CountRow, ReadAs, ReadingRow, Refused, Sorted
from shared.sensors.rules.lines import Merged
from shared.sites.model import Line, Profile
from shared.vendors.errors import Fault
from shared.vendors.model import Push, Record
from shared.vendors.rules.silence import TICK, add_silence, frame
from shared.vendors.rules.values import LARGEST_COUNT, count
from shared.vendors.rules.zones import Times

_EVENTS, _LOGICS = "xovis-5-live", "xovis-5-logics"
Settled = tuple[Sorted[CountRow], Sorted[ReadingRow]]


def settle(push: Push, reference: str, profile: Profile) -> Settled:
    """Intervals and counters' standings; rows that cannot be either are refused, ignored lines are counted as such."""
    setup = profile.setup
    intervals: Sorted[CountRow] = Sorted()
    readings: Sorted[ReadingRow] = Sorted()
    intervals.refused += unread(push, (reference, *push.references))
    if push.form == (_LOGICS if setup.counts_from == "events" else _EVENTS):
        push.ignored += len(push.records)
        return intervals, readings
    zone = ZoneInfo(profile.zone) if profile.zone else None
    interval = timedelta(minutes=profile.interval_minutes)
    times = Times(zone, setup.times, interval).moments(push.records)
    merged = Merged(intervals, readings)
    for record in push.records:
        line = setup.line(record.line, *record.aliases)
        if line.direction == "ignored":
            push.ignored += 1
            continue
        cumulative = record.cumulative if setup.counting == "format" else setup.counting == "cumulative"
        try:
            entries, exits = _directed(record, line)
            start, end = times[record.row]()
            name = line.name or record.line
            if cumulative:
                since = setup.begun(profile.zone, end, is_daily=record.daily)
                merged.reading(record.row, record.line, ReadingRow(reference, end, entries, exits, name, since))
            else:
                # What covers an interval begins with it: two rows of a line have no moment in common.
                if record.instant and start == frame(start, interval)[0]:
                    start += TICK
                for field, value in (("entries", entries), ("exits", exits)):
                    count(value, field, most=LARGEST_COUNT)
                merged.interval(record.row, record.line, CountRow(reference, start, end, entries, exits, name))
        except Fault as fault:
            content = told(record, push.form, (reference, *push.references))
            intervals.refused.append(Refused(record.row, fault.field, fault.code, fault.message, content))
    add_silence(intervals, reference, profile, push.alive)
    return intervals, readings


def told(record: Record, form: str, references: Sequence[str]) -> dict[str, object]:
    """A record in the words of `ingest/counts`, for whoever mends it, and how it was to be read."""
    moments = {"start": record.start or record.end, "end": record.end}
    others = tuple(dict.fromkeys(one for one in references if one != references[0]))
    aliases = tuple(one for one in record.aliases if one)
    ways = {"one_way": record.one_way, "cumulative": record.cumulative, "daily": record.daily}
    return {
        "sensor": references[0],
        "line": record.line,
        **{field: moment.isoformat() if moment else None for field, moment in moments.items()},
        "entries": record.entries,
        "exits": record.exits,
        "read_as": msgspec.to_builtins(ReadAs(form, others, aliases, **ways)),
    }


def unread(push: Push, references: Sequence[str]) -> list[Refused]:
    """What could not be read of a push, each kept with its sensor and how it was to be read, for whoever mends it.

    A CSV's cells stand as they were; of other formats the words of `ingest/counts` wait to be filled in, beside what
    was `said`.
    """
    others = tuple(dict.fromkeys(one for one in references if one != references[0]))
    read_as = msgspec.to_builtins(ReadAs(push.form, others, cells=push.form == "csv"))
    blank = dict.fromkeys(("start", "end", "entries", "exits"))
    found = []
    for one in push.refused:
        if push.form == "csv":
            content = {"sensor": references[0], **one.content, "read_as": read_as}
        else:
            content = {"sensor": references[0], "line": "", **blank, "read_as": read_as, "said": one.content}
        found.append(replace(one, content=content))
    return found


def _directed(record: Record, line: Line) -> tuple[int, int]:
    if record.one_way and line.direction not in ("in", "out"):
        raise Fault("line", "no-direction", f"{record.line} tells no direction; say in the sensor's setup which it is")
    return line.directed(record.entries, record.exits)
