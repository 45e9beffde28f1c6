"""Ids of what an endpoint's owner is told, the same whoever tells it and however often."""

from datetime import datetime
from uuid import UUID, uuid5

_OURS = UUID("0193a0c2-7d3e-7f52-8a61-6f2b8c90d417")


def event_id(due: datetime, *words: object) -> UUID:
    """The id of an event that was due at a moment and is told by its words (which endpoint, what, since when).

    A UUIDv7, as ids of messages ascend with time: its milliseconds are the moment's, and its random bits a digest.
    """
    digest = uuid5(_OURS, "\n".join(map(str, words))).int
    milliseconds = int(due.timestamp() * 1000)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | (digest >> 64 & 0xFFF) << 64 | 0b10 << 62 | digest & (1 << 62) - 1)
