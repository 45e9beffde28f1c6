"""What a day of a sensor is worth (decision 0034).

Each part says how good the day was in one respect, from 100 down to 0; the score is their mean by weight. What is usual
is told by the sensor's own four weeks before; where there are none, nothing is unusual but what cannot be at all.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from statistics import median, median_low

from shared.quality.model import Balance, Counted, Finding, Hour, Part, Tally, Verdict

WEIGHTS: dict[Part, int] = {
    Part.GAPS: 35,
    Part.FLAT_LINES: 15,
    Part.JUMPS: 10,
    Part.BALANCE: 15,
    Part.CLOCK: 10,
    Part.DUPLICATES: 15,
}
"""What each part counts for, of a hundred."""
BASELINE_DAYS = 28
_ENOUGH_DAYS = 7
"""Days that have to be known before something is called unusual."""
_GAP_MINUTES = 120
_LONGEST_STEP = 60
"""A sensor that tells less often than each hour has no lines to be flat, nor hours to jump."""
_FLAT_HOURS, _FLAT_PEOPLE = 4, 10
"""The same number of people, so many at least, for so many hours running, is a counter that stands still."""
_EMPTY_PEOPLE = 50
"""Nobody, in hours in which so many at least are usual together, is one too."""
_JUMP_TIMES, _JUMP_PEOPLE = 10, 100
_ENOUGH_PEOPLE = 1000
LARGEST_DRIFT = 0.03
_DOUBLED = 0.5
_LEAST_OVERLAP = 0.1
"""What an overlap takes away at least: who came in minutes that count twice is counted twice."""
FASTEST = 300.0
"""People a minute that a line can count, in and out together, whatever is usual there.

A crowd passes a door at 1.2 to 1.4 people a second and metre of its width at the most (Weidmann 1993, Fruin 1971):
300 a minute are five a second, a dense crowd through four metres for as long as the interval is.
"""


class Judge:
    """Scores one sensor's days in their order; remembers the four weeks before."""

    def __init__(self, interval_minutes: int) -> None:
        self._interval = interval_minutes
        self._past: deque[dict[int, int]] = deque(maxlen=BASELINE_DAYS)

    def remember(self, day: Counted) -> None:
        """Take a day as one of those before, without judging it."""
        if day.hours:
            self._past.append({hour.number: hour.people for hour in day.hours})

    def score(self, day: Counted, tally: Tally, balance: Balance, *, skewed: bool) -> Verdict:
        """What a day is worth."""
        findings: list[Finding] = []
        if not day.hours and not day.expected:
            return Verdict(day.day, 100, dict.fromkeys(Part, 100))  # closed all day
        if not day.hours:
            # Days on which everything was refused are no missing days: something came.
            missing = Finding.MISSING_DAY if not tally.rejected else Finding.GAP
            return Verdict(day.day, 0, dict.fromkeys(Part, 0), (missing, *self._clock(tally, skewed=skewed)[1]))
        parts: dict[Part, int] = {}
        for part, (lost, found) in {
            Part.GAPS: self._gaps(day, tally),
            Part.FLAT_LINES: self._flat(day),
            Part.JUMPS: self._jumps(day),
            Part.BALANCE: _balance(balance),
            Part.CLOCK: self._clock(tally, skewed=skewed),
            Part.DUPLICATES: _worst(_duplicates(day, tally), _overlaps(day)),
        }.items():
            parts[part] = round(100 * (1 - min(1.0, max(0.0, lost))))
            findings += found
        self.remember(day)
        score = round(sum(WEIGHTS[part] * value for part, value in parts.items()) / 100)
        return Verdict(day.day, score, parts, tuple(findings))

    def _gaps(self, day: Counted, tally: Tally) -> tuple[float, list[Finding]]:
        counted = {hour.number: hour.minutes for hour in day.hours}
        # A sensor's first day begins with what came first.
        first = 0 if self._past else min(counted)
        expected = {number: minutes for number, minutes in day.expected.items() if number >= first}
        wanted = sum(expected.values())
        # A step longer than an hour stands in the hour it begins in.
        there = sum(min(counted.get(number, 0), most) for number, most in expected.items())
        if self._interval > _LONGEST_STEP:
            there = min(wanted, sum(counted.values()))
        missing = max(0.0, wanted - there - tally.doubtful * self._interval)
        found = [Finding.GAP] if missing >= max(_GAP_MINUTES, 2 * self._interval) else []
        return (missing / wanted if wanted else 0.0), found

    def _flat(self, day: Counted) -> tuple[float, list[Finding]]:
        if self._interval > _LONGEST_STEP:
            return 0.0, []
        flat = sum(len(run) for run in _runs(day.hours) if self._is_flat(run))
        return flat / len(day.hours), [Finding.FLAT_LINE] if flat else []

    def _is_flat(self, run: list[Hour]) -> bool:
        if len(run) < _FLAT_HOURS:
            return False
        if run[0].people:
            return run[0].people >= _FLAT_PEOPLE
        return sum(self._usual(hour.number) for hour in run) >= _EMPTY_PEOPLE

    def _usual(self, number: int) -> float:
        """What is usual in an hour of the day, going by the least of the weeks before: shops close on Sundays."""
        if len(self._past) < _ENOUGH_DAYS:
            return 0.0
        seen = [day[number] for day in self._past if number in day]
        # A tenth of the days are below: what is rarely nobody is meant, holidays let pass.
        return sorted(seen)[len(seen) // 10] if seen else 0.0

    def _jumps(self, judged: Counted) -> tuple[float, list[Finding]]:
        if any(hour.fastest > FASTEST for hour in judged.hours):
            return 1.0, [Finding.JUMP]
        if self._interval > _LONGEST_STEP or len(self._past) < _ENOUGH_DAYS:
            return 0.0, []
        busiest = median(max(day.values()) for day in self._past)
        limit = max(_JUMP_PEOPLE, _JUMP_TIMES * busiest)
        jumped = sum(1 for hour in judged.hours if hour.people > limit)
        return jumped / 2, [Finding.JUMP] if jumped else []

    @staticmethod
    def _clock(tally: Tally, *, skewed: bool) -> tuple[float, list[Finding]]:
        found = [Finding.CLOCK_CHANGE] if tally.leapt or tally.doubtful else []
        if tally.ahead or skewed:
            return 1.0, [*found, Finding.CLOCK_SKEW]
        return (0.2 if found else 0.0), found


def four_weeks(days: Mapping[date, Balance], last: date) -> Balance:
    """Who came and who left in the four weeks up to a day, without days that are nothing like the others."""
    found = [days[day] for back in range(BASELINE_DAYS) if (day := last - timedelta(days=back)) in days]
    people = [one.entries + one.exits for one in found]
    most = _JUMP_TIMES * max(_JUMP_PEOPLE, median_low([some for some in people if some] or [0]))
    kept = [one for one, some in zip(found, people, strict=True) if some <= most] if len(found) > 1 else found
    return Balance(sum(one.entries for one in kept), sum(one.exits for one in kept))


def _runs(hours: Iterable[Hour]) -> Iterator[list[Hour]]:
    """Hours that follow one another and say the same."""
    run: list[Hour] = []
    for hour in hours:
        follows = run and hour.number == run[-1].number + 1
        if run and not (follows and (hour.entries, hour.exits) == (run[0].entries, run[0].exits)):
            yield run
            run = []
        run.append(hour)
    if run:
        yield run


def _balance(of: Balance) -> tuple[float, list[Finding]]:
    """Whoever comes leaves: what lacks for weeks is the counters' doing. Who counts one way is not judged."""
    larger = max(of.entries, of.exits)
    if min(of.entries, of.exits) == 0 or larger < _ENOUGH_PEOPLE:
        return 0.0, []
    drift = abs(of.entries - of.exits) / larger
    return drift * 5, [Finding.IMBALANCE] if drift > LARGEST_DRIFT else []


def _duplicates(day: Counted, tally: Tally) -> tuple[float, list[Finding]]:
    share = tally.duplicates / max(1, day.rows)
    return share, [Finding.DOUBLED_DAY] if share >= _DOUBLED else []


def _overlaps(day: Counted) -> tuple[float, list[Finding]]:
    """Intervals of one line that cover the same minutes count their people twice, whichever came first."""
    doubled = sum(hour.doubled for hour in day.hours)
    if not doubled:
        return 0.0, []
    return max(_LEAST_OVERLAP, doubled / max(1.0, sum(hour.minutes for hour in day.hours))), [Finding.OVERLAP]


def _worst(*found: tuple[float, list[Finding]]) -> tuple[float, list[Finding]]:
    return max(lost for lost, _ in found), [one for _, some in found for one in some]
