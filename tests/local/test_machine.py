"""What a machine may lack: each is one sentence and a way out, before anything was changed."""

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from local import ports, stack
from local.errors import LocalError
from local.instance import ROOT, Instance
from local.ports import choose

PREFLIGHT = ROOT / "local" / "preflight.py"


def machine(folder: Path, **programs: str) -> dict[str, str]:
    """An environment whose PATH has only the given programs, each printing a line."""
    folder.mkdir()
    for name, line in programs.items():
        script = folder / name
        script.write_text(f"#!/bin/sh\necho {line}\n")
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return {"PATH": str(folder)}


def preflight(environment: dict[str, str], code: str = "") -> "subprocess.CompletedProcess[str]":
    run = f"{code}\nimport runpy; runpy.run_path({str(PREFLIGHT)!r}, run_name='__main__')"
    return subprocess.run([sys.executable, "-c", run], env=environment, capture_output=True, text=True, check=False)


def test_a_machine_with_everything_passes(tmp_path: Path) -> None:
    done = preflight(machine(tmp_path / "bin", node="v20.1.0", npm="10"))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("programs", "sentence"),
    [
        ({"npm": "10"}, "Node.js is missing"),
        ({"node": "v18.19.0", "npm": "10"}, "Node.js v18.19.0 is too old"),
        ({"node": "v22.0.0"}, "npm is missing"),
    ],
)
def test_node_and_npm_are_asked_for(tmp_path: Path, programs: dict[str, str], sentence: str) -> None:
    done = preflight(machine(tmp_path / "bin", **programs))
    assert done.returncode == 1
    assert sentence in done.stderr
    assert "Way out:" in done.stderr


def test_a_python_without_venv_is_told_how_to_get_it(tmp_path: Path) -> None:
    done = preflight(machine(tmp_path / "bin", node="v20.1.0", npm="10"), "import sys; sys.modules['ensurepip'] = None")
    assert done.returncode == 1
    assert "cannot make virtual environments" in done.stderr
    assert "-venv" in done.stderr


def test_an_old_python_is_told_to_be_old(tmp_path: Path) -> None:
    code = "import sys; sys.version_info = (3, 9, 1)"
    assert "Python 3.9 is too old" in preflight(machine(tmp_path / "bin", node="v20.1.0", npm="10"), code).stderr


def up(instance: Instance, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "local", "up", "--no-demo", "--instance", instance.name],
        env={**os.environ, "RMAP_HOME": str(instance.home), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_up_without_node_ends_with_one_sentence(instance: Instance, tmp_path: Path) -> None:
    done = up(instance, **machine(tmp_path / "bin", npm="10"))
    assert done.returncode == 1
    assert done.stderr.startswith("✗ Node.js is missing")
    assert "Traceback" not in done.stderr


def test_up_on_a_nearly_full_disk_refuses_before_it_starts_anything(instance: Instance) -> None:
    done = up(instance, RMAP_MIN_FREE_MB="999999999")
    assert done.returncode == 1
    assert "MB free" in done.stderr
    assert not list(instance.pids.iterdir())


def test_up_on_a_full_disk_says_so(instance: Instance) -> None:
    secrets = instance.folder / "secrets.json"
    secrets.unlink(missing_ok=True)
    mounted = "import local.instance as i, os; o = os.fsync\ndef full(fd):\n raise OSError(28, 'No space left')\n"
    code = f"{mounted}os.fsync = full\nfrom local.__main__ import main; import sys; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code, "up", "--instance", instance.name],
        env={**os.environ, "RMAP_HOME": str(instance.home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "is full" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(instance.folder.glob("*.tmp")) == []


def test_a_second_command_at_the_same_time_is_told_who_is_at_work(instance: Instance) -> None:
    with instance.lock():
        done = up(instance)
    assert done.returncode == 1
    assert f"Another command (process {os.getpid()})" in done.stderr


def test_the_lock_of_a_killed_command_is_free(instance: Instance) -> None:
    code = (
        "import os, sys; from pathlib import Path; from local.instance import Instance\n"
        "with Instance.of(sys.argv[1], Path(sys.argv[2])).lock(): os.kill(os.getpid(), 9)"
    )
    arguments = [sys.executable, "-c", code, instance.name, str(instance.home)]
    assert subprocess.run(arguments, check=False).returncode == -9
    with instance.lock():
        pass


def test_the_api_port_in_use_names_its_holder_and_another_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    main = Instance.of("main", tmp_path)
    main.make_folders()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setenv("RMAP_PORT", str(port))
        with pytest.raises(LocalError) as error:
            choose(main, {})
    assert f"Port {port}, which the local API is to listen on, is in use by" in error.value.sentence
    assert f"(process {os.getpid()})" in error.value.sentence
    assert "RMAP_PORT=" in error.value.way_out


def test_a_helpers_port_in_use_moves_on_and_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    main = Instance.of("main", tmp_path)
    main.make_folders()
    monkeypatch.setenv("RMAP_PORT", str(ports.free()))
    first = choose(main, {})
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", first.receiver))
        taken.listen()
        second = choose(main, {})
    assert second.receiver > first.receiver
    assert choose(main, {}) == second


@pytest.mark.parametrize("port", ["http", "0", "70000"])
def test_a_port_that_is_none_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    monkeypatch.setenv("RMAP_PORT", port)
    with pytest.raises(LocalError, match="is no port"):
        choose(Instance.of("main", tmp_path), {})


def test_an_instance_cannot_be_named_out_of_its_home(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="no name for an instance"):
        Instance.of("../elsewhere", tmp_path)


def test_stopping_what_was_never_started_is_no_error(tmp_path: Path) -> None:
    assert stack.stop(Instance.of("drill", tmp_path)) is False
