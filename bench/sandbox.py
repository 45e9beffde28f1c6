"""A bare interpreter whose path holds what a sandbox of Lambda holds: zip, layers, the runtime's boto3."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import distribution
from pathlib import Path

from bench.harness.rounds import Figures
from infra import bytecode
from infra.settings import ROOT

_RUNTIME = ("boto3", "botocore", "s3transfer", "jmespath", "python-dateutil", "six", "urllib3")
_USUAL = ("aws-xray-sdk", "wrapt", "pyjwt")
_HOME = ROOT / ".rmap" / "bench"

_PROGRAM = """
import sys
from time import perf_counter, process_time
began, used = perf_counter(), process_time()
places, module = sys.argv[1:-1], sys.argv[-1]
sys.path[:0] = places[:-1]
sys.path.append(places[-1])
if module:
    __import__(module)
wall, import_cpu, cpu = perf_counter() - began, process_time() - used, process_time()
sys.stdout.flush()
with open("/proc/self/status") as status:
    peak = next(line for line in status if line.startswith("VmHWM"))
text = '{"cpu_ms": %.3f, "import_ms": %.3f, "wall_ms": %.3f, "memory_mb": %.3f}'
sys.stderr.write(text % (cpu * 1e3, import_cpu * 1e3, wall * 1e3, int(peak.split()[1]) / 1024) + chr(10))
"""


class DidNotStartError(RuntimeError):
    """A handler does not start with what its bundle holds."""


@dataclass(frozen=True)
class Sandbox:
    """What a handler is started with: folders in the order of Lambda's path, the runtime's own last."""

    places: Sequence[Path]
    module: str
    environment: dict[str, str]

    def start(self) -> Figures:
        """Start it once: processor and wall time in ms, peak memory in MB.

        `cpu_ms` counts from the birth of the interpreter, `import_ms` and `wall_ms` from the first import.
        """
        command = [sys.executable, "-I", "-S", "-c", _PROGRAM, *map(str, self.places), self.module]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise DidNotStartError(f"{self.module}: {done.stderr.strip()[-2000:]}")
        figures: Figures = json.loads(done.stderr.strip().splitlines()[-1])
        return figures


def runtime() -> Path:
    """A folder with what the Lambda runtime brings: boto3 and what it needs, compiled."""
    return _folder("runtime", _RUNTIME)


def usual() -> Path:
    """What the plain handler imports beside our core layer: what Powertools' tracer wants, and PyJWT."""
    return _folder("usual", _USUAL)


def peers() -> Path:
    """The plain handler as a zip would hold it, compiled."""
    source = ROOT / "bench" / "peers" / "plain_handler.py"
    place = _HOME / f"plain-{sha256(source.read_bytes()).hexdigest()[:12]}"
    if not place.is_dir():
        fresh = _fresh(place)
        shutil.copy(source, fresh)
        _compile(fresh)
        fresh.rename(place)
    return place


def _folder(name: str, packages: Sequence[str]) -> Path:
    versions = ",".join(f"{package}={distribution(package).version}" for package in packages)
    digest = sha256(f"{sys.version} {versions}".encode()).hexdigest()[:12]
    place = _HOME / f"{name}-{digest}"
    if not place.is_dir():
        fresh = _fresh(place)
        for package in packages:
            _copy(package, fresh)
        _compile(fresh)
        fresh.rename(place)
    return place


def _fresh(place: Path) -> Path:
    fresh = place.with_name(f"{place.name}.{os.getpid()}")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    return fresh


def _copy(package: str, into: Path) -> None:
    for file in distribution(package).files or ():
        if ".." in file.parts or "__pycache__" in file.parts:
            continue
        target = into / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(str(file.locate()), target)


def _compile(folder: Path) -> None:
    compiler = bytecode.compiler_for("local")
    if compiler is None:
        raise DidNotStartError("this interpreter cannot compile")
    compiler.compile(folder, "/opt/python")
