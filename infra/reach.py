"""Which modules of `shared` a function can reach, read from its source: only those go into its bundle.

Every import counts, also one inside a function or for types alone, so that nothing a line names is ever missing.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

_ROOM: Final = "shared"


@dataclass(frozen=True)
class Library:
    """The modules of `shared`, by their dotted names."""

    root: Path

    @cached_property
    def modules(self) -> dict[str, Path]:
        """Each module's source."""
        found = {}
        for source in sorted((self.root / _ROOM).rglob("*.py")):
            parts = source.relative_to(self.root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = source
        return found

    @cached_property
    def _imports(self) -> dict[str, frozenset[str]]:
        return {name: frozenset(self._named(source)) for name, source in self.modules.items()}

    def reached(self, sources: Iterable[Path]) -> set[Path]:
        """What some sources import, what that imports in turn, and the packages around it."""
        waiting = {name for source in sources if source.suffix == ".py" for name in self._named(source)}
        seen: set[str] = set()
        while waiting:
            name = waiting.pop()
            seen.add(name)
            waiting |= self._imports[name] - seen
        return {self.modules[name] for name in seen}

    def _named(self, source: Path) -> Iterator[str]:
        for node in ast.walk(ast.parse(source.read_bytes())):
            match node:
                case ast.Import(names=names):
                    wanted = [alias.name for alias in names]
                case ast.ImportFrom(module=str(module), level=0, names=names):
                    wanted = [module, *(f"{module}.{alias.name}" for alias in names)]
                case _:
                    continue
            for name in wanted:
                parts = name.split(".")
                if parts[0] == _ROOM:
                    around = (".".join(parts[: end + 1]) for end in range(len(parts)))
                    yield from (place for place in around if place in self.modules)
