"""The command line: `python -m bench [NAME] [--quick]`."""

import argparse
import importlib
from pathlib import Path

from rich.console import Console

from bench.harness.report import Result, save, show
from infra.settings import ROOT

NAMES = (
    "read",
    "write",
    "init",
    "token",
    "login",
    "rate",
    "neighbours",
    "export",
    "search",
    "deliveries",
    "arrival",
    "pushes",
    "bulk",
    "memory",
    "crowds",
    "fanout",
    "processor",
    "growth",
    "queries",
)
RESULTS = Path(__file__).parent / "results"
QUICK_RESULTS = ROOT / ".rmap" / "bench" / "results"


def main() -> int:
    """Run one benchmark or all of them; a missed goal is shown and is no failure."""
    parser = argparse.ArgumentParser(prog="bench", description="Measure ours beside a peer and the limit.")
    parser.add_argument("name", nargs="?", choices=NAMES, help="one benchmark; all of them by default")
    parser.add_argument("--quick", action="store_true", help="few rounds; the kept results stay as they are")
    options = parser.parse_args()
    console = Console(stderr=True)
    for name in (options.name,) if options.name else NAMES:
        with console.status(f"{name} …") as status:

            def tell(what: str, name: str = name, status: object = status) -> None:
                status.update(f"{name}: {what}")  # type: ignore[attr-defined]

            result: Result = importlib.import_module(f"bench.entries.{name}").run(quick=options.quick, tell=tell)
        show(result, Console())
        place = save(result, QUICK_RESULTS if options.quick else RESULTS)
        Console().print(f"  [dim]kept in {place.relative_to(ROOT)}[/]\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
