"""Builds what functions ship: one folder per layer and per function, below .rmap/build/<target>/.

    python -m infra.assets --target local|cloud

`local` is for the interpreter at hand; `cloud` is for Lambda's Python 3.13 on arm64. A folder is rebuilt only
when its inputs changed; the same inputs give the same hash on every machine. Bytecode is compiled in, bound
to the source by hash and not by time, and names the paths that the code has in Lambda.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, get_args

from infra import bytecode, catalog, package, wheels
from infra.reach import Library
from infra.settings import ROOT, Target
from infra.vocabulary import Function

SWAGGER_FILES: Final = ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png", "LICENSE", "NOTICE")
API_DESCRIPTION: Final = Path("docs/api/openapi.json")
PACKAGES: Final = "packages"
SWAGGER_FOLDER: Final = Path("node_modules/swagger-ui-dist")

_FORMAT: Final = "2"
"""Raise it when this module builds something else from the same inputs."""
_IGNORED_FOLDERS: Final = frozenset({"__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"})
_IGNORED_ENDINGS: Final = (".pyc", ".pyi", ".md", ".orig", ".rej", "~")


class AssetMissingError(RuntimeError):
    """Something a bundle needs is not there; the message says how to get it."""


@dataclass(frozen=True, slots=True)
class Asset:
    """A built folder, the hash of everything that went into it, and its zip, whose name is that hash.

    A package never changes, so a synthesis that names one stays right whatever is built later.
    """

    path: Path
    digest: str
    package: Path


@dataclass(frozen=True, slots=True)
class Assets:
    """Everything a deployment uploads."""

    layers: dict[str, Asset]
    functions: dict[str, Asset]
    compiled: bool
    """False when no interpreter for the target was found, so that there is no bytecode inside."""


@dataclass(frozen=True, slots=True)
class _Input:
    """A file's place in the bundle and where it comes from."""

    place: str
    source: Path


def build(target: Target, *, root: Path = ROOT, into: Path | None = None) -> Assets:
    """Bring every layer and function bundle of a target up to date and return them."""
    folder = into or root / ".rmap" / "build" / target
    folder.mkdir(parents=True, exist_ok=True)
    compiler = bytecode.compiler_for(target)
    library, shared = Library(root), _sources(root / "shared", "shared")

    def layer(name: str) -> Asset:
        if name == catalog.KERNEL_LAYER:
            return _kernel_layer(root, folder, compiler)
        return _dependency_layer(name, root, folder, target, compiler)

    def bundle(row: Function) -> Asset:
        home = _sources(root / "functions" / row.name, f"functions/{row.name}")
        reached = library.reached(item.source for item in home)
        # What is no module (a template, say) goes along with the package that it lies in.
        rooms = {source.parent for source in reached}
        wanted = [item for item in shared if (item.source in reached) or _is_data_of(item, rooms)]
        return _function_bundle(row, home + wanted, root, folder, compiler)

    names = [row.name for row in catalog.FUNCTIONS]
    with _only_builder(folder), ThreadPoolExecutor(max_workers=os.cpu_count()) as workers:
        layers = dict(zip(catalog.layer_names(), workers.map(layer, catalog.layer_names()), strict=True))
        functions = dict(zip(names, workers.map(bundle, catalog.FUNCTIONS), strict=True))
        wanted = {asset.package for asset in (*layers.values(), *functions.values())}
        package.drop_old(folder / PACKAGES, wanted)
    return Assets(layers, functions, compiled=compiler is not None)


def migrations_digest(root: Path = ROOT) -> str:
    """A hash of everything the migrations function runs: when it changes, the deploy migrates."""
    return _digest(_sources(root / "functions" / "migrations", "functions/migrations"), "migrations")[:32]


def _kernel_layer(root: Path, folder: Path, compiler: bytecode.Compiler | None) -> Asset:
    name = catalog.KERNEL_LAYER
    inputs = _sources(root / "layers" / name / "python" / name, f"python/{name}")
    return _bundle(inputs, folder / "layers" / name, "/opt", compiler)


def _dependency_layer(name: str, root: Path, folder: Path, target: Target, compiler: bytecode.Compiler | None) -> Asset:
    lock = root / "requirements" / "layers" / f"{name}.txt"
    if not lock.is_file():
        raise AssetMissingError(f"Layer {name} has no lock {lock.relative_to(root)}: run `make lock`.")
    digest = _digest(
        [_Input("lock", lock), _Input("wheels", Path(wheels.__file__))],
        wheels.platform_of(target),
        _compiler_name(compiler),
    )
    place = folder / "layers" / name

    def fill(into: Path) -> None:
        wheels.install(lock, into / "python", target)
        if compiler is not None:
            compiler.compile(into, "/opt")

    return _up_to_date(place, digest, fill)


def _function_bundle(
    row: Function, sources: list[_Input], root: Path, folder: Path, compiler: bytecode.Compiler | None
) -> Asset:
    home = root / "functions" / row.name
    if not (home / "handler.py").is_file():
        raise AssetMissingError(f"The catalog lists {row.name}, but functions/{row.name}/handler.py is missing.")
    inputs = [_Input("functions/__init__.py", root / "functions" / "__init__.py")]
    inputs += sources
    if row.holds_api_page:
        inputs += _api_page(root, f"functions/{row.name}/static")
    return _bundle(inputs, folder / "functions" / row.name, "/var/task", compiler)


def _is_data_of(item: _Input, rooms: set[Path]) -> bool:
    return item.source.suffix != ".py" and item.source.parent in rooms


def _api_page(root: Path, place: str) -> list[_Input]:
    description = root / API_DESCRIPTION
    if not description.is_file():
        raise AssetMissingError(f"{API_DESCRIPTION} is missing: generate it from the routes first.")
    inputs = [_Input(f"{place}/{description.name}", description)]
    for name in SWAGGER_FILES:
        source = root / SWAGGER_FOLDER / name
        if not source.is_file():
            raise AssetMissingError(f"{SWAGGER_FOLDER / name} is missing: run `npm ci`.")
        inputs.append(_Input(f"{place}/{name}", source))
    return inputs


def _sources(home: Path, place: str) -> list[_Input]:
    """The files of a folder that belong into a bundle, in a fixed order."""
    found: list[_Input] = []
    for folder, folders, files in os.walk(home):
        folders[:] = sorted(name for name in folders if name not in _IGNORED_FOLDERS)
        for name in sorted(files):
            if not name.endswith(_IGNORED_ENDINGS):
                source = Path(folder) / name
                found.append(_Input(f"{place}/{source.relative_to(home).as_posix()}", source))
    return found


def _bundle(inputs: list[_Input], place: Path, prefix: str, compiler: bytecode.Compiler | None) -> Asset:
    def fill(into: Path) -> None:
        for item in inputs:
            target = into / item.place
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(item.source, target)
        if compiler is not None:
            compiler.compile(into, prefix)

    return _up_to_date(place, _digest(inputs, _compiler_name(compiler)), fill)


def _up_to_date(place: Path, digest: str, fill: Callable[[Path], None]) -> Asset:
    """Fill a folder unless its stamp says that it holds these inputs; a broken run leaves no half folder."""
    stamp = place.with_name(f"{place.name}.stamp")
    asset = Asset(place, digest, place.parents[1] / PACKAGES / f"{digest}.zip")
    if place.is_dir() and stamp.is_file() and stamp.read_text() == digest and asset.package.is_file():
        return asset
    fresh = place.with_name(f"{place.name}.new")
    stamp.unlink(missing_ok=True)
    for old in (fresh, place):
        shutil.rmtree(old, ignore_errors=True)
    fresh.mkdir(parents=True)
    fill(fresh)
    fresh.rename(place)
    package.pack(place, asset.package)
    stamp.write_text(digest)
    return asset


def _digest(inputs: Iterable[_Input], *facts: str) -> str:
    sink = hashlib.sha256(json.dumps([_FORMAT, *facts]).encode())
    for item in inputs:
        sink.update(f"\0{item.place}\0".encode())
        sink.update(hashlib.sha256(item.source.read_bytes()).digest())
    return sink.hexdigest()


def _compiler_name(compiler: bytecode.Compiler | None) -> str:
    return compiler.version if compiler else "no bytecode"


@contextmanager
def _only_builder(folder: Path) -> Iterator[None]:
    """Two builds at once (a test run beside `make up`) take turns."""
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def size_mb(asset: Asset) -> float:
    """The unpacked size that Lambda counts against its limit of 250 MB."""
    return sum(file.stat().st_size for file in asset.path.rglob("*") if file.is_file()) / 1e6


def main() -> int:
    """Build from the command line and print what came out."""
    parser = argparse.ArgumentParser(description="Build layers and function bundles.")
    parser.add_argument("--target", choices=get_args(Target), default="local")
    target: Target = parser.parse_args().target
    began = time.monotonic()
    try:
        assets = build(target)
    except (AssetMissingError, wheels.InstallError) as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    for kind, built in (("layer", assets.layers), ("function", assets.functions)):
        for name, asset in built.items():
            sys.stdout.write(f"{kind:9}{name:22}{size_mb(asset):7.2f} MB  {asset.digest[:12]}\n")
    if not assets.compiled:
        sys.stdout.write(f"{bytecode.MISSING_COMPILER}\n")
    sys.stdout.write(f"built for {target} in {time.monotonic() - began:.1f} s\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
