"""Installs a layer's locked wheels for a target platform and takes out what no function imports."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Final

from infra.settings import Target

_CLOUD_FLAGS: Final = (
    "--python-platform", "aarch64-manylinux_2_28", "--python-version", "3.13", "--only-binary", ":all:",
)  # fmt: skip

_PRUNED_NAMES: Final = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"})
"""An installer's own notes; METADATA stays, because packages read their version there."""
_PRUNED_FOLDERS: Final = frozenset({"__pycache__", "tests", "bin"})
_PRUNED_ENDINGS: Final = (".pyi", ".pyx", ".pxd", ".c", ".h", ".lock")
_PRUNED_PACKAGES: Final = (
    "pycparser",  # cffi wants it only to parse C declarations, at build time
    "sqlalchemy/testing",
    "alembic/testing",
    "alembic/templates",
)


class InstallError(RuntimeError):
    """The wheels of a layer could not be installed."""


def platform_of(target: Target) -> str:
    """What the wheels depend on beside the lock."""
    if target == "cloud":
        return " ".join(_CLOUD_FLAGS)
    return f"{sys.implementation.cache_tag} {sysconfig.get_platform()}"


def install(lock: Path, into: Path, target: Target) -> None:
    """Install exactly the locked wheels into a folder, then prune it."""
    flags = _CLOUD_FLAGS if target == "cloud" else ("--python", sys.executable)
    command = [
        _uv(), "pip", "install", "--quiet", "--require-hashes", "--no-deps", "--link-mode", "copy",
        "--target", str(into), *flags, "-r", str(lock),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise InstallError(f"Layer {lock.stem} could not be installed:\n{done.stderr.strip()}")
    prune(into)


def prune(folder: Path) -> None:
    """Take out tests, stubs, sources of extensions and installers' notes."""
    for package in _PRUNED_PACKAGES:
        shutil.rmtree(folder / package, ignore_errors=True)
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            if path.name in _PRUNED_FOLDERS:
                shutil.rmtree(path)
        elif path.name in _PRUNED_NAMES or path.name.endswith(_PRUNED_ENDINGS):
            path.unlink(missing_ok=True)


def _uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.is_file() else shutil.which("uv")
    if not found:
        raise InstallError("uv is missing: run `make install` or install it with pip.")
    return found
