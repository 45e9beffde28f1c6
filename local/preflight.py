"""Checks a machine before anything is installed: `python3 local/preflight.py`.

Standard library only and no import of the project, because it runs before the virtual environment exists; it
has to be readable for an old Python too. Each finding is one sentence with a way out; exit code 1 if there is any.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

PYTHON = (3, 11)
NODE = 20
FREE_MEGABYTES = 2_000


def python_findings() -> list[tuple[str, str]]:
    """Python's version, and the modules that make a virtual environment."""
    found = []
    have = "{}.{}".format(*sys.version_info[:2])
    if sys.version_info < PYTHON:
        found.append(
            (
                f"Python {have} is too old: RMAP needs Python 3.11 or newer.",
                "install a newer one and run `make PYTHON=python3.11 …` with its name.",
            )
        )
    if any(importlib.util.find_spec(name) is None for name in ("venv", "ensurepip")):
        found.append(
            (
                "This Python cannot make virtual environments: its module venv or ensurepip is missing.",
                f"install it (on Debian and Ubuntu: `apt-get install python{have}-venv`).",
            )
        )
    return found


def node_findings() -> list[tuple[str, str]]:
    """Node and npm, which run the pinned CDK command line."""
    found = []
    node = shutil.which("node")
    if node is None:
        found.append(
            (
                "Node.js is missing; the CDK command line runs on it.",
                f"install Node.js {NODE} or newer so that `node --version` answers.",
            )
        )
    else:
        told = subprocess.run([node, "--version"], stdout=subprocess.PIPE, text=True, check=False).stdout
        version = re.match(r"v(\d+)\.", told)
        if version is None or int(version.group(1)) < NODE:
            found.append(
                (
                    "Node.js {} is too old: the CDK command line needs {} or newer.".format(told.strip() or "?", NODE),
                    "install a newer Node.js and make it the first `node` on PATH.",
                )
            )
    if shutil.which("npm") is None:
        found.append(
            (
                "npm is missing; it installs the pinned CDK command line.",
                "install npm (on Debian and Ubuntu: `apt-get install npm`) so that `npm --version` answers.",
            )
        )
    return found


def space_findings(folder: Path, megabytes: int = FREE_MEGABYTES) -> list[tuple[str, str]]:
    """Room for the environments, the database and the endpoint's state."""
    while not folder.is_dir():
        folder = folder.parent
    free = shutil.disk_usage(folder).free // 1_000_000
    if free >= megabytes:
        return []
    return [
        (
            f"The disk that holds {folder} has {free:,} MB free; RMAP wants {megabytes:,} MB.",
            "free some space, or put the checkout on a larger disk.",
        )
    ]


def main() -> int:
    """Print every finding."""
    found = python_findings() + node_findings() + space_findings(Path.cwd())
    for sentence, way_out in found:
        sys.stderr.write(f"✗ {sentence}\n  Way out: {way_out}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
