"""Finds every route that some function declares."""

import importlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import functions
from tenant_context.routing import Route, Routes


@dataclass(frozen=True, slots=True)
class FunctionRoutes:
    """One function's shown routes; `about` is the docstring of its package."""

    name: str
    about: str
    routes: tuple[Route, ...]

    @property
    def tag(self) -> str:
        """How the function is headed in the description: as most of its addresses begin, which is what callers know."""
        begins = Counter(route.path.removeprefix("/api/v1/").partition("/")[0] for route in self.routes)
        usual, times = begins.most_common(1)[0]
        versioned = self.routes[0].path.startswith("/api/v1/")
        heading = usual if versioned and 2 * times >= len(self.routes) else self.name
        return heading.replace("_", " ").capitalize()


def discover() -> list[FunctionRoutes]:
    """All functions with shown routes, by name. Reading them needs no environment: only handler.py wires."""
    home = Path(next(iter(functions.__path__)))
    names = sorted(
        {module.relative_to(home).parts[0] for module in home.glob("*/routes*") if module.name != "__pycache__"}
    )
    found = [_read(name) for name in names]
    return [function for function in found if function.routes]


def _read(name: str) -> FunctionRoutes:
    package = importlib.import_module(f"functions.{name}")
    routes = importlib.import_module(f"functions.{name}.routes").routes
    if not isinstance(routes, Routes):
        raise TypeError(f"functions/{name}/routes has no Routes in `routes`")
    shown = tuple(route for route in routes.all if not route.hidden)
    return FunctionRoutes(name, (package.__doc__ or "").strip(), shown)
