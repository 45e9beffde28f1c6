"""The pinned CDK command line, installed by npm where it is not there yet."""

import fcntl
import json
import subprocess
from pathlib import Path
from typing import Any

from local import preflight
from local.errors import LocalError, disk_full, says_full
from local.instance import ROOT, Instance


def check() -> None:
    """Node and npm are there and new enough; LocalError tells the first finding."""
    for sentence, way_out in preflight.node_findings():
        raise LocalError(sentence, way_out)


def check_space(folder: Path, megabytes: int) -> None:
    """There is room to work in; LocalError if not."""
    for sentence, way_out in preflight.space_findings(folder, megabytes):
        raise LocalError(sentence, way_out)


def install(instance: Instance, root: Path = ROOT) -> bool:
    """`npm ci`, unless node_modules holds exactly what the lock names; whether it ran."""
    instance.home.mkdir(parents=True, exist_ok=True)
    with (instance.home / "npm.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if _installed(root):
            return False
        done = subprocess.run(
            ["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"],
            cwd=root,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode == 0:
        return True
    if says_full(done.stderr):
        raise disk_full(root)
    raise LocalError(
        "npm could not install the CDK command line.",
        "check that the package registry is reachable, then run the command again.",
        done.stderr[-2000:],
    )


def _installed(root: Path) -> bool:
    """Npm leaves a lock of what it installed; packages that this machine does not need are absent from it."""
    wanted, there = _packages(root / "package-lock.json"), _packages(root / "node_modules" / ".package-lock.json")
    needed = {path for path, package in wanted.items() if path and not package.get("optional")}
    return bool(there) and all(
        path in there and there[path].get("integrity") == wanted[path].get("integrity") for path in needed
    )


def _packages(path: Path) -> dict[str, dict[str, Any]]:
    try:
        packages: dict[str, dict[str, Any]] = json.loads(path.read_text())["packages"]
    except (OSError, ValueError, KeyError):
        return {}
    return packages
