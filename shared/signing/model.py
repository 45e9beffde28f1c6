"""The ring of signing keys, as whoever turns it sees it. Times are whole seconds since 1970."""

from dataclasses import dataclass, field
from enum import StrEnum

from tenant_context.key_ring import State


@dataclass(frozen=True, slots=True)
class Key:
    """One key of the ring; `closed`: it is retired, and KMS will delete it."""

    kid: str
    arn: str
    algorithm: str
    public_key: bytes = field(repr=False)
    state: State
    made_at: int
    signing_at: int | None = None
    verifying_at: int | None = None
    retired_at: int | None = None
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Ring:
    """Every key there is or was lately. `version` counts the changes; who makes a key holds a `claim` for so long."""

    version: int = 0
    keys: tuple[Key, ...] = ()
    claim: str = ""
    claimed_until: int = 0

    def having(self, *states: State) -> tuple[Key, ...]:
        """The keys in one of these states."""
        return tuple(key for key in self.keys if key.state in states)


@dataclass(frozen=True, slots=True)
class Times:
    """How long a key signs, how long it is published before, and how long it is believed after, in seconds."""

    rotate_after: int
    publish_for: int
    overlap: int


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asked for beyond what the clock says: the next key, or the end of these at once."""

    next: bool = False
    end: frozenset[str] = frozenset()


class Step(StrEnum):
    """The one thing to do next."""

    MAKE = "make a key"
    WAIT = "wait for another run that makes one"
    PROMOTE = "let the pending key sign"
    END = "end keys at once"
    RETIRE = "retire a key"
    CLOSE = "have a retired key deleted"
    FORGET = "forget a deleted key"
