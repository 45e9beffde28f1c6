"""Processor time of this process and of the others that work for it, in microseconds; and its memory, in MB."""

import os
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from bench.harness.rounds import Figures

_TICK_US = 1_000_000 / os.sysconf("SC_CLK_TCK")


def process_us(pid: int) -> float:
    """What a process and its threads used so far; exact where the kernel keeps schedstat, else in ticks of 10 ms."""
    try:
        threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
        return sum(int(thread.read_text().split()[0]) for thread in threads) / 1000
    except (OSError, IndexError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * _TICK_US


def peak_mb() -> float:
    """The most memory that this process had; what getrusage says is its parent's, if that had more when it forked."""
    found = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(found.split()[1]) / 1024


def processes_us(pids: Iterable[int]) -> float:
    """The same over several processes."""
    return sum(process_us(pid) for pid in pids)


def metered(
    work: Callable[[int], object],
    times: int,
    *,
    backends: Callable[[], Sequence[int]],
    client: int | None = None,
) -> Callable[[], Figures]:
    """A turn that does the work so many times and answers the time of one.

    Args:
        work: Does it as often as it is told.
        times: How often that is.
        backends: The processes of the database that serve it.
        client: The process whose time counts as the client's; this one by default.
    """

    def turn() -> Figures:
        pids = backends()
        database, own, wall = processes_us(pids), _client_us(client), time.perf_counter()
        work(times)
        wall, own, database = (
            time.perf_counter() - wall,
            _client_us(client) - own,
            processes_us(pids) - database,
        )
        return {
            "client_us": own / times,
            "database_us": database / times,
            "cpu_us": (own + database) / times,
            "wall_us": wall * 1e6 / times,
        }

    return turn


def _client_us(pid: int | None) -> float:
    return time.process_time() * 1e6 if pid is None else process_us(pid)


def repeated(once: Callable[[], object]) -> Callable[[int], None]:
    """The work of calling something so many times."""

    def work(times: int) -> None:
        for _ in range(times):
            once()

    return work
