"""One local cloud: a folder that holds its ports, process ids, logs and state."""

import contextlib
import fcntl
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import in_memory
from local.errors import LocalError

ROOT = Path(__file__).resolve().parents[1]
MAIN = "main"
TEST = "test"
BENCH = "benches"
_NAME = re.compile(r"^[a-z][a-z0-9-]{0,30}$")
_POLL = 0.1


@dataclass(frozen=True)
class Instance:
    """Where an instance keeps what. `home` is `.rmap`, shared by all instances of a checkout."""

    name: str
    home: Path

    @classmethod
    def of(cls, name: str = MAIN, home: Path | None = None) -> "Instance":
        """The instance of this name in this checkout, or below RMAP_HOME, or in another home."""
        if not _NAME.match(name):
            raise LocalError(f"{name!r} is no name for an instance.", "use small letters, digits and dashes.")
        return cls(name, (home or Path(os.environ.get("RMAP_HOME") or ROOT / ".rmap")).resolve())

    @property
    def folder(self) -> Path:
        """The instance's own folder."""
        return self.home / self.name

    @property
    def logs(self) -> Path:
        """One log file per process."""
        return self.folder / "logs"

    @property
    def pids(self) -> Path:
        """One file per running process."""
        return self.folder / "pids"

    @property
    def state(self) -> Path:
        """What the processes keep."""
        return self.folder / "state"

    @property
    def description(self) -> Path:
        """The file that tells others the addresses: `.rmap/local.json` for the main instance."""
        return self.home / "local.json" if self.name == MAIN else self.folder / "local.json"

    @property
    def durable(self) -> bool:
        """Whether a power cut may lose nothing; tests and benches trade that for speed."""
        return self.name not in (TEST, BENCH)

    def make_folders(self) -> None:
        """Make the folders; only their owner may look into what holds secrets."""
        for folder in (self.folder, self.logs, self.pids, self.state):
            folder.mkdir(parents=True, exist_ok=True)
        if self.name == TEST:  # what benches make is larger than memory
            in_memory.place(self.state / "postgres")

    @contextmanager
    def lock(self, *, wait: bool = False) -> Iterator[None]:
        """Hold the instance against a second start or stop; a second one is told who is at work, or waits."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("a+") as file:
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if not wait:
                        raise self._busy() from None
                    time.sleep(_POLL)
            holder = self.folder / "lock.pid"
            holder.write_text(str(os.getpid()))
            try:
                yield
            finally:
                holder.unlink(missing_ok=True)

    def _busy(self) -> LocalError:
        with contextlib.suppress(OSError):
            pid = (self.folder / "lock.pid").read_text()
            return LocalError(
                f"Another command (process {pid}) is starting or stopping the instance {self.name}.",
                "wait until it is done, then run this again.",
            )
        return LocalError(
            f"Another command is starting or stopping the instance {self.name}.",
            "wait until it is done, then run this again.",
        )


def write_json(path: Path, value: object, *, mode: int = 0o600) -> None:
    """Replace a JSON file as one step, so that no reader and no full disk ever leaves half of it."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:
            json.dump(value, file, indent=2)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def read_json(path: Path) -> dict[str, Any]:
    """The mapping in a JSON file; empty when the file is missing or damaged."""
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
