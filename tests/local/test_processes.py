"""Servers that die, hang, are lost or were never ours."""

import errno
import subprocess
import sys

import psutil
import pytest

from local.errors import LocalError
from local.instance import Instance, read_json, write_json
from local.processes import Server, minimal_environment
from tests.local.harness import eventually

SLEEP = "import time; print('up', flush=True); time.sleep(600)"


def server(instance: Instance, code: str, *, healthy: bool = True, name: str = "demo", seconds: float = 5) -> Server:
    return Server(
        name=name,
        instance=instance,
        command=[sys.executable, "-X", f"rmap={instance.folder}", "-c", code],
        healthy=lambda: healthy,
        environment=minimal_environment(instance.folder),
        start_seconds=seconds,
        stop_seconds=5,
    )


def test_a_server_that_dies_at_start_shows_its_last_words(instance: Instance) -> None:
    broken = server(instance, "import time; print('no such table: tenants'); raise SystemExit(3)", healthy=False)
    with pytest.raises(LocalError) as error:
        broken.start()
    assert "The server demo ended while it started." in str(error.value)
    assert "no such table: tenants" in error.value.details
    assert not broken.pid_file.exists()


def test_a_server_that_never_answers_is_stopped_again(instance: Instance) -> None:
    deaf = server(instance, SLEEP, healthy=False, seconds=0.3)
    with pytest.raises(LocalError, match="did not answer within"):
        deaf.start()
    assert deaf.process() is None


def test_last_words_about_a_full_disk_are_told_as_such(instance: Instance) -> None:
    full = server(instance, "import os; os.write(os.open('/dev/full', os.O_WRONLY), b'x')", healthy=False)
    with pytest.raises(LocalError, match=r"The disk that holds .* is full"):
        full.start()


def test_a_full_disk_leaves_the_old_file_whole(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    place = instance.folder / "ports.json"
    write_json(place, {"kept": 1})

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_json(place, {"kept": 2})
    assert read_json(place) == {"kept": 1}
    assert list(instance.folder.glob("*.tmp")) == []


def test_a_pid_file_of_a_stranger_is_ignored_and_the_stranger_lives(instance: Instance) -> None:
    ours = server(instance, SLEEP)
    with subprocess.Popen(["/bin/sleep", "60"]) as stranger:
        started = psutil.Process(stranger.pid).create_time()
        write_json(ours.pid_file, {"pid": stranger.pid, "started": started, "command": ["/bin/sleep", "60"]})
        assert ours.start() is True
        assert ours.stop() is True
        assert stranger.poll() is None
        stranger.kill()


def test_the_same_command_started_at_another_time_by_us_is_adopted(instance: Instance) -> None:
    ours = server(instance, SLEEP)
    ours.start()
    pid = read_json(ours.pid_file)["pid"]
    ours.pid_file.unlink()
    assert ours.start() is False
    assert read_json(ours.pid_file)["pid"] == pid
    ours.stop()


def test_a_damaged_pid_file_is_no_obstacle(instance: Instance) -> None:
    ours = server(instance, SLEEP)
    ours.pid_file.write_text("{half")
    assert ours.start() is True
    ours.stop()


def test_stopping_twice_is_fine(instance: Instance) -> None:
    ours = server(instance, SLEEP)
    ours.start()
    assert [ours.stop(), ours.stop()] == [True, False]


def test_one_that_ignores_the_signal_is_killed_with_its_children(instance: Instance) -> None:
    code = (
        "import signal, subprocess, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "subprocess.Popen(['/bin/sleep', '617']); print('ready', flush=True); time.sleep(600)"
    )
    stubborn = server(instance, code)
    stubborn.start()
    eventually(lambda: "ready" in stubborn.log.read_text(), "the child")
    process = stubborn.process()
    assert process is not None
    children = process.children()
    quick = Server(**{**stubborn.__dict__, "stop_seconds": 0.3})
    quick.stop()
    eventually(lambda: not any(child.is_running() for child in children), "the child's end")


def test_a_server_inherits_no_keys_and_no_python_settings(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    assert {"AWS_PROFILE", "PYTHONPATH"}.isdisjoint(minimal_environment(instance.folder))
