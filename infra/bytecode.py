"""Compiles bytecode into bundles with the interpreter that will run it."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from infra.settings import Target

LAMBDA_PYTHON: Final = "3.13"
LAMBDA_TAG: Final = "cpython-313"
MISSING_COMPILER: Final = (
    f"No Python {LAMBDA_PYTHON} was found (RMAP_PYTHON313 or python{LAMBDA_PYTHON} on the PATH): the bundles "
    "hold no bytecode, so every cold start compiles its imports and takes about twice as long."
)

_WAITED_FOR: Final = frozenset({"staging", "prod"})
_PROBE: Final = "import sys; print(sys.implementation.cache_tag)"


class CompileError(RuntimeError):
    """Some source does not compile under the target's interpreter."""


@dataclass(frozen=True, slots=True)
class Compiler:
    """An interpreter that can compile for a target."""

    executable: str
    version: str

    def compile(self, folder: Path, prefix: str) -> None:
        """Compile every module below a folder, as if the folder stood at `prefix`.

        The bytecode is trusted without a look at the source (unchecked hash): unpacking times do not matter.
        """
        command = [
            self.executable, "-I", "-m", "compileall", "-q", "-f", "--invalidation-mode", "unchecked-hash",
            "-s", str(folder), "-p", prefix, str(folder),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise CompileError(f"{folder.name} does not compile:\n{done.stdout}{done.stderr}")


def compiler_for(target: Target) -> Compiler | None:
    """The interpreter whose bytecode the target reads; None when this machine has none."""
    if target == "local":
        return _probe(sys.executable)
    return lambda_compiler()


@functools.cache
def lambda_compiler() -> Compiler | None:
    """The first interpreter of Lambda's version that answers."""
    for executable in _candidates():
        compiler = _probe(executable)
        if compiler and compiler.version == LAMBDA_TAG:
            return compiler
    return None


def _candidates() -> Iterator[str]:
    named = os.environ.get("RMAP_PYTHON313")
    if named:
        yield named
    on_path = shutil.which(f"python{LAMBDA_PYTHON}")
    if on_path:
        yield on_path
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for found in sorted(pyenv.glob(f"versions/{LAMBDA_PYTHON}*/bin/python{LAMBDA_PYTHON}"), reverse=True):
        yield str(found)


def _probe(executable: str) -> Compiler | None:
    try:
        done = subprocess.run([executable, "-I", "-c", _PROBE], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return Compiler(executable, done.stdout.strip()) if done.returncode == 0 else None


def main(stage: str) -> int:
    """Refuse, in a sentence, to deploy what people wait for without bytecode."""
    if stage not in _WAITED_FOR or lambda_compiler() or os.environ.get("RMAP_WITHOUT_BYTECODE"):
        return 0
    sys.stderr.write(
        f"✗ {MISSING_COMPILER}\n"
        f"  Way out: install Python {LAMBDA_PYTHON} beside the one you use, or set RMAP_WITHOUT_BYTECODE=1.\n"
    )
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
