"""Budgets that fail `make check`: sizes and counts, never times.

    python -m bench.budgets [--sizes] [--all]

A budget stands a little above what is: it is raised on purpose and in a review, or not at all.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from bench.entries.init import without_bytecode
from bench.requests import Count, costs
from bench.world import silence
from infra import assets, catalog
from infra.assets import Assets


@dataclass(frozen=True)
class Size:
    """A function's own zip, and its unpacked whole with every layer, in MB; Lambda's limit for the whole is 250."""

    zip_mb: float = 0.75
    whole_mb: float = 55


USUAL = Size()
SIZES: dict[str, Size] = {
    "service": Size(zip_mb=1.3),  # carries Swagger UI and the API's description
    "analytics": Size(whole_mb=90),  # carries Arrow, which writes Parquet
    "auth": Size(whole_mb=60),  # carries WebAuthn's library
    "identity_egress": Size(whole_mb=60),  # carries JOSE and DNS
    "billing_provisioner": Size(whole_mb=80),  # carries Stripe's library
    "billing_egress": Size(whole_mb=80),
    "inbound": Size(whole_mb=85),  # and JOSE
    "migrations": Size(whole_mb=85),  # carries Alembic and SQLAlchemy
}
COUNTS: dict[str, Count] = {
    "list campaigns": Count(2, 1),
    # The tenth part of an UpdateItem each: leases of ten tokens. One that is cut to what the last left costs one more.
    "a hundred lists for a tenant on starter": Count(200, 100, 12),
    "read a campaign": Count(2, 1),
    "create a campaign, idempotently": Count(6, 1),
    "create a campaign at two stores": Count(7, 2),  # waits to tell which store is unknown
    "launch a campaign": Count(6, 2),  # waits for the row it locks
    "launch a campaign and tell the bus": Count(10, 3, 1),
    "list sites": Count(2, 1),
    "create a site": Count(5, 2, 2),  # waits to tell whether the code is taken; listed for devices by id and by code
    "read a metric of a site": Count(2, 1),
    "push counts": Count(0, 0, 2),  # BatchGetItem of the devices, SendMessageBatch
}


@dataclass(frozen=True)
class Line:
    """One budget and what it is measured against."""

    what: str
    found: float
    budget: float
    digits: int = 0

    @property
    def kept(self) -> bool:
        """Whether the budget holds."""
        return round(self.found, self.digits) <= self.budget


def sizes(built: Assets) -> Iterator[Line]:
    """Packages of every function, and modules without bytecode in every bundle."""
    for row in catalog.FUNCTIONS:
        budget = SIZES.get(row.name, USUAL)
        own = built.functions[row.name]
        layers = [built.layers[layer] for layer in (catalog.KERNEL_LAYER, *row.layers)]
        yield Line(f"{row.name}: zip MB", own.package.stat().st_size / 1e6, budget.zip_mb, 2)
        whole = sum(assets.size_mb(asset) for asset in (own, *layers))
        yield Line(f"{row.name}: unpacked MB with its layers", whole, budget.whole_mb, 1)
    missing = sum(len(without_bytecode(asset)) for asset in (*built.layers.values(), *built.functions.values()))
    yield Line("modules without bytecode", missing, 0)


def counts() -> Iterator[Line]:
    """Statements, waits and AWS calls of real requests, on real PostgreSQL."""
    with silence():
        found = costs()
    if found.keys() != COUNTS.keys():
        raise AssertionError(f"budgets and requests differ: {sorted(found.keys() ^ COUNTS.keys())}")
    for what, budget in COUNTS.items():
        yield Line(f"{what}: statements", found[what].statements, budget.statements)
        yield Line(f"{what}: round trips to PostgreSQL", found[what].round_trips, budget.round_trips)
        yield Line(f"{what}: AWS calls", found[what].aws_calls, budget.aws_calls)


def main() -> int:
    """Print every budget that is broken, or one line that none is."""
    parser = argparse.ArgumentParser(prog="bench.budgets", description="Check sizes and counts against their budgets.")
    parser.add_argument("--sizes", action="store_true", help="sizes only; needs no running servers")
    parser.add_argument("--all", action="store_true", help="show the budgets that hold as well")
    options = parser.parse_args()
    lines = list(sizes(assets.build("local")))
    if not options.sizes:
        lines += counts()
    broken = [line for line in lines if not line.kept]
    if broken or options.all:
        _show(lines if options.all else broken)
    sys.stdout.write(f"{len(lines) - len(broken)} of {len(lines)} budgets hold.\n")
    return 1 if broken else 0


def _show(lines: list[Line]) -> None:
    table = Table()
    for heading in ("", "is", "may be", ""):
        table.add_column(heading, justify="right" if heading else "left")
    for line in lines:
        verdict = "" if line.kept else "[red]over[/]"
        table.add_row(line.what, f"{line.found:.{line.digits}f}", f"{line.budget:g}", verdict)
    Console().print(table)


if __name__ == "__main__":
    raise SystemExit(main())
