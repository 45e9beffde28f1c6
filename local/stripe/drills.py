"""Misbehaviour on demand: failing, slow and lost answers, and declined payments. Kept in memory only."""

import threading
from dataclasses import dataclass, field


@dataclass
class Fault:
    """How the next `count` matching API calls go wrong.

    `status` answers that status; `delay` waits so many seconds first; `drop` closes the connection without an
    answer. With `executed` the call takes effect before its answer is lost or replaced.
    """

    count: int = 1
    status: int | None = None
    delay: float = 0.0
    drop: bool = False
    executed: bool = False
    match: str = ""
    code: str | None = None


@dataclass
class Drills:
    """The faults and declines that are still to come. Thread-safe."""

    down: bool = False
    faults: list[Fault] = field(default_factory=list)
    declines: int = 0
    decline_code: str = "generic_decline"
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def take_fault(self, target: str) -> Fault | None:
        """The fault for a call to `target` ("POST /v1/customers"), used up by one."""
        with self._lock:
            if self.down:
                return Fault(drop=True)
            for fault in self.faults:
                if fault.match in target:
                    fault.count -= 1
                    self.faults = [left for left in self.faults if left.count > 0]
                    return fault
        return None

    def take_decline(self) -> str | None:
        """The decline code for a payment, if the next one is to be declined."""
        with self._lock:
            if self.declines <= 0:
                return None
            self.declines -= 1
            return self.decline_code

    def clear(self) -> None:
        """Behave."""
        with self._lock:
            self.down, self.faults, self.declines = False, [], 0
