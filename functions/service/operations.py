"""What an operator is told: is the database there, how is the sandbox, what are the platform's numbers."""

import platform
import resource
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import LiteralString

from tenant_context.errors import Unavailable
from tenant_context.postgres import Database
from tenant_context.settings import RuntimeSettings

_STARTED = time.monotonic()
_ALIVE: LiteralString = "SELECT 1"
_OPERATIONS: LiteralString = "SELECT name, value FROM app.operations()"


@dataclass(frozen=True, slots=True)
class Probe:
    """One look at the database: how long it took, the numbers it gave, and in `failure` why it gave none."""

    milliseconds: float
    numbers: Mapping[str, float]
    failure: str = ""

    @property
    def up(self) -> bool:
        """Whether the database answered."""
        return not self.failure


class Operations:
    """Looks at the platform from within one sandbox."""

    def __init__(self, database: Database, runtime: RuntimeSettings) -> None:
        self._database = database
        self.runtime = runtime

    def require_database(self) -> None:
        """Return when the database answers, raise `Unavailable` when it does not."""
        self._database.door(_ALIVE)

    def probe(self) -> Probe:
        """The platform's numbers, or why there are none."""
        began = time.perf_counter()
        numbers: dict[str, float] = {}
        failure = ""
        try:
            numbers = {row[0]: row[1] for row in self._database.door(_OPERATIONS)}
        except Unavailable as error:
            failure = error.detail
        return Probe(round((time.perf_counter() - began) * 1000, 3), numbers, failure)

    def detailed(self) -> dict[str, object]:
        """Everything, as `DetailedHealthOut` describes it."""
        probe = self.probe()
        status = "up" if probe.up else "down"
        database = {"name": "database", "status": status, "milliseconds": probe.milliseconds, "detail": probe.failure}
        return {
            "status": status,
            "version": self.runtime.version,
            "components": [database],
            "sandbox": {
                "stage": self.runtime.stage,
                "python": platform.python_version(),
                "uptime_seconds": uptime_seconds(),
                "memory_bytes": memory_bytes(),
                "database_statements": self._database.statements,
                "database_round_trips": self._database.round_trips,
            },
            "operations": dict(probe.numbers),
        }

    def metrics(self) -> str:
        """The same in Prometheus' text format 0.0.4; `rmap_database_up` is 0 when there are no numbers."""
        probe = self.probe()
        labels = f'{{version="{self.runtime.version}",stage="{self.runtime.stage}"}}'
        lines = [
            *_metric("rmap_build_info", "gauge", "The deployed version.", 1, labels),
            *_metric("rmap_database_up", "gauge", "Whether the database answered.", int(probe.up)),
            *_metric("rmap_database_answer_seconds", "gauge", "How long it took.", probe.milliseconds / 1000),
            *_metric("rmap_sandbox_uptime_seconds", "gauge", "Age of the answering sandbox.", uptime_seconds()),
            *_metric("rmap_sandbox_memory_bytes", "gauge", "Most memory the sandbox ever held.", memory_bytes()),
            *_metric(
                "rmap_sandbox_database_round_trips_total",
                "counter",
                "Waits for the database since the sandbox began.",
                self._database.round_trips,
            ),
        ]
        for name, value in sorted(probe.numbers.items()):
            lines += _metric(name, "gauge", _HELP.get(name, "A number about the whole platform."), value)
        return "\n".join(lines) + "\n"


_HELP = {
    "rmap_tenants": "Tenants that are not closed.",
    "rmap_outbox_waiting": "Events that no bus has taken yet.",
    "rmap_outbox_oldest_seconds": "Age of the oldest of them.",
    "rmap_inbox_waiting": "Entries of the inbox that wait to be worked on.",
    "rmap_inbox_oldest_seconds": "How long the oldest of them has waited.",
    "rmap_inbox_failed": "Entries of the inbox that were given up.",
    "rmap_database_connections": "Connections to the database, from all functions.",
}


def uptime_seconds() -> float:
    """How long this sandbox has lived."""
    return round(time.monotonic() - _STARTED, 3)


def memory_bytes() -> int:
    """The most memory this sandbox ever held; Linux counts it in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _metric(name: str, kind: str, about: str, value: float, labels: str = "") -> tuple[str, str, str]:
    return f"# HELP {name} {about}", f"# TYPE {name} {kind}", f"{name}{labels} {value:g}"
