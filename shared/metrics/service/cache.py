"""Answers kept in the sandbox, and by all sandboxes together; what is worked out is worked out by one.

An answer is kept with the version of the numbers it was made of, which was read before it was. It is served to who has
read the same version since asking: so never after something that it depends on has changed. Both levels know the
tenant.
"""

from collections import OrderedDict
from collections.abc import Callable
from enum import StrEnum
from threading import Lock

from shared.metrics.gateway import SharedAnswers
from tenant_context.context import TenantContext

MOST_BYTES = 16 * 1024 * 1024


class Level(StrEnum):
    """Where an answer came from, as X-Cache says it."""

    SANDBOX = "HIT sandbox"
    SHARED = "HIT shared"
    MISS = "MISS"


class Answers:
    """Two levels; the second only for what is worth asking it for."""

    def __init__(self, shared: SharedAnswers | None = None, most_bytes: int = MOST_BYTES) -> None:
        self._shared = shared
        self._most = most_bytes
        self._kept: OrderedDict[tuple[str, str], tuple[str, bytes]] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()
        self._flights: dict[tuple[str, str, str], Lock] = {}

    def __call__(
        self, tenant: TenantContext, key: str, version: str, make: Callable[[], bytes], *, heavy: bool
    ) -> tuple[bytes, Level]:
        """The answer to a question at a version, and where it came from; `heavy`: worth a look at the second level."""
        place = (str(tenant.tenant), key)
        if (kept := self._look(place, version)) is not None:
            return kept, Level.SANDBOX
        with self._lock:
            flight = self._flights.setdefault((*place, version), Lock())
        with flight:
            try:
                if (kept := self._look(place, version)) is not None:
                    return kept, Level.SANDBOX
                shared = self._shared if heavy else None
                answer, level = (
                    (make(), Level.MISS) if shared is None else _together(shared, tenant, key, version, make)
                )
                self._keep(place, version, answer)
                return answer, level
            finally:
                with self._lock:
                    self._flights.pop((*place, version), None)

    def _look(self, place: tuple[str, str], version: str) -> bytes | None:
        with self._lock:
            kept = self._kept.get(place)
            if kept is None or kept[0] != version:
                return None
            self._kept.move_to_end(place)
            return kept[1]

    def _keep(self, place: tuple[str, str], version: str, answer: bytes) -> None:
        with self._lock:
            if (before := self._kept.pop(place, None)) is not None:
                self._bytes -= len(before[1])
            self._kept[place] = (version, answer)
            self._bytes += len(answer)
            while self._bytes > self._most:
                _, (_, gone) = self._kept.popitem(last=False)
                self._bytes -= len(gone)


def _together(
    shared: SharedAnswers, tenant: TenantContext, key: str, version: str, make: Callable[[], bytes]
) -> tuple[bytes, Level]:
    if (answer := shared.get(tenant, key, version)) is not None:
        return answer, Level.SHARED
    if not shared.begin(tenant, key, version) and (answer := shared.wait(tenant, key, version)) is not None:
        return answer, Level.SHARED
    try:
        answer = make()
        shared.put(tenant, key, version, answer)
    finally:
        shared.end(tenant, key, version)
    return answer, Level.MISS
