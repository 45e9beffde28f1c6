"""Servers that outlive the command that started them: detached, with a log, a pid file and a checked identity."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

import psutil

from local.errors import LocalError, disk_full, says_full
from local.instance import Instance, read_json, write_json

POLL = 0.05
_LOG_LINES = 15
_LOG_LIMIT = 20_000_000
_NO_SPACE = 1_000_000
# The clock's corrections move a process's computed start by this much at most.
_SAME_START = 2.0


@dataclass(frozen=True)
class Server:
    """How to run one server and tell that it answers.

    The command line names the instance's folder, so a process is ours if, and only if, its command line and its
    start time are the ones written down.
    """

    name: str
    instance: Instance
    command: list[str]
    healthy: Callable[[], bool]
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    user: str | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    start_seconds: float = 60.0
    stop_seconds: float = 30.0

    @property
    def log(self) -> Path:
        """Everything the server prints."""
        return self.instance.logs / f"{self.name}.log"

    @property
    def pid_file(self) -> Path:
        """Who is running."""
        return self.instance.pids / f"{self.name}.json"

    def process(self) -> psutil.Process | None:
        """The running process, if it is truly ours; a stale or stranger's pid is nobody."""
        written = read_json(self.pid_file)
        process = _alive(written.get("pid"))
        if process and self._is_ours(process) and abs(process.create_time() - written["started"]) < _SAME_START:
            return process
        return self._stray()

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return bool(process.cmdline() == self.command)
        except psutil.Error:
            return False

    def _stray(self) -> psutil.Process | None:
        """Ours but not written down: a start that was interrupted between the two."""
        for process in psutil.process_iter(["cmdline"]):
            if process.info["cmdline"] == self.command and _alive(process.pid):
                self._write(process)
                return process
        return None

    def _write(self, process: psutil.Process) -> None:
        self.instance.pids.mkdir(parents=True, exist_ok=True)
        write_json(self.pid_file, {"pid": process.pid, "started": process.create_time(), "command": self.command})

    def start(self) -> bool:
        """Start unless it runs and answers; whether it was started. One that runs but is deaf is replaced."""
        if self.process():
            if self._answers(self.start_seconds):
                return False
            self.stop()
        self.pid_file.unlink(missing_ok=True)
        self._trim_log()
        with self.log.open("ab") as log:
            child = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(self.environment),
                cwd=self.folder or self.instance.folder,
                start_new_session=True,
                **as_user(self.user),
            )
        process = psutil.Process(child.pid)
        # It is not this command's child to wait for: it stays.
        child.returncode = 0
        self._write(process)
        if not self._answers(self.start_seconds):
            raise self._failed()
        return True

    def _answers(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process_gone():
                return False
            if self.healthy():
                return True
            time.sleep(POLL)
        return False

    def process_gone(self) -> bool:
        """Whether the process written down has ended."""
        return _alive(read_json(self.pid_file).get("pid")) is None

    def _failed(self) -> LocalError:
        ended, said = self.process_gone(), self.last_lines()
        self.stop()
        if says_full(said) or shutil.disk_usage(self.instance.folder).free < _NO_SPACE:
            return disk_full(self.instance.folder)
        how = "ended while it started" if ended else f"did not answer within {self.start_seconds:.0f} s"
        return LocalError(
            f"The server {self.name} {how}.",
            f"read {self.log} and run the command again; its last lines are below.",
            said,
        )

    def last_lines(self) -> str:
        """The end of the log, indented."""
        try:
            lines = self.log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
        except OSError:
            return ""
        return "\n".join(f"    {line}" for line in lines)

    def _trim_log(self) -> None:
        if self.log.exists() and self.log.stat().st_size > _LOG_LIMIT:
            self.log.replace(self.log.with_suffix(".log.old"))

    def stop(self) -> bool:
        """Stop it and wait until it is gone; whether it ran. Killed only if it does not go by itself in time."""
        process = self.process()
        if process is not None:
            end(process, self.stop_signal, self.stop_seconds)
        self.pid_file.unlink(missing_ok=True)
        return process is not None


def _alive(pid: object) -> psutil.Process | None:
    if not isinstance(pid, int) or pid <= 1:
        return None
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process
    except psutil.Error:
        return None


def end(process: psutil.Process, how: signal.Signals, seconds: float) -> None:
    """Ask a process to end, wait, and make it end if it does not; its children end with it."""
    children = process.children(recursive=True)
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(how)
        if not _gone(process, seconds):
            process.kill()
            _gone(process, seconds)
    # What a killed server leaves behind holds its ports and folders.
    for child in children:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
    for child in children:
        _gone(child, seconds)


def _gone(process: psutil.Process, seconds: float) -> bool:
    """Wait for a process to end. One that only waits for its parent to notice has ended."""
    deadline = time.monotonic() + seconds
    while process.is_running() and _alive(process.pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(process.pid, os.WNOHANG)
    return True


class Identity(TypedDict, total=False):
    """The subprocess options that make a child another user's."""

    user: str
    group: int
    extra_groups: list[str]


def as_user(name: str | None) -> Identity:
    """Options to run as a user with none of the caller's groups; none for the caller itself."""
    return {"user": name, "group": pwd.getpwnam(name).pw_gid, "extra_groups": []} if name else {}


def minimal_environment(folder: Path) -> dict[str, str]:
    """What a server inherits: enough to run, nothing of the caller's keys or Python settings."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TZ") if name in os.environ}
    return {**kept, "TMPDIR": str(folder)}
