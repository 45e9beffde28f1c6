"""What a vendor's push says, before it is known what its sensor is like."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared.sensors.model import Refused


@dataclass(frozen=True, slots=True)
class Record:
    """One thing a device counted; moments are as it said them, some without a zone.

    Without a `start` it is told from the end and the sensor's interval. What is `cumulative` tells a counter's
    standing at `end`, and not what happened in an interval; what is `daily` as well begins anew at the device's
    midnight. An `instant` is of crossings, when they happened. `one_way` are counts of a line that goes one way,
    which the sensor's setup has to tell.
    """

    row: int
    line: str
    start: datetime | None
    end: datetime | None
    entries: int
    exits: int
    cumulative: bool = False
    one_way: bool = False
    instant: bool = False
    daily: bool = False
    aliases: tuple[str, ...] = ()
    """Other names of the line by which the setup may know it."""
    content: Any = None


@dataclass(slots=True)
class Push:
    """A push, read: whose format, by which names its device may be known, its rows.

    `ignored` counts what the format holds beside counts of people (states, occupancy, tracks): nothing is lost
    without being told.
    """

    vendor: str
    form: str
    references: tuple[str, ...] = ()
    records: list[Record] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    ignored: int = 0
    alive: list[datetime] = field(default_factory=list)
    """When the device was there, crossed or not, where it tells each crossing."""
