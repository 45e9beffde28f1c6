"""Contestants take turns, round after round, so that a busy machine is busy for all of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

Figures = dict[str, float]
"""What one turn measured, by metric: `client_us`, `database_us`, `memory_mb` …"""


@dataclass(frozen=True)
class Contestant:
    """One way to do the work; `turn` does it once or many times and answers figures for one time."""

    name: str
    about: str
    turn: Callable[[], Figures]


@dataclass(frozen=True)
class Spread:
    """A metric over all rounds."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Row:
    """What came out for a contestant; `facts` are figures that no round can change, such as sizes and counts."""

    name: str
    about: str
    figures: dict[str, Spread]
    facts: Figures

    def median(self, metric: str) -> float:
        """A metric's median, or the fact of that name."""
        return self.figures[metric].median if metric in self.figures else self.facts[metric]


def compete(
    contestants: Sequence[Contestant], rounds: int, facts: dict[str, Figures], tell: Callable[[str], None]
) -> list[Row]:
    """Give everyone a turn per round, each round beginning with another one, after a turn that does not count."""
    kept: dict[str, list[Figures]] = {contestant.name: [] for contestant in contestants}
    for number in range(rounds + 1):
        tell(f"round {number} of {rounds}" if number else "warming up")
        start = number % len(contestants)
        for contestant in (*contestants[start:], *contestants[:start]):
            figures = contestant.turn()
            if number:
                kept[contestant.name].append(figures)
    return [
        Row(contestant.name, contestant.about, _spreads(kept[contestant.name]), facts.get(contestant.name, {}))
        for contestant in contestants
    ]


def _spreads(turns: Sequence[Figures]) -> dict[str, Spread]:
    found = {}
    for metric in turns[0]:
        values = [turn[metric] for turn in turns]
        found[metric] = Spread(median(values), min(values), max(values))
    return found
