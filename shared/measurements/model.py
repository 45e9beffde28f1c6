"""The words of measurements."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one part of a batch."""

    stored: int
    unchanged: int
    revised: int
    quarantined: int
