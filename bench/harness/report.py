"""One table to read, one JSON file to keep."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.harness import machine
from bench.harness.rounds import Row


@dataclass(frozen=True)
class Goal:
    """What was wanted and what came out; one that was missed says why and stays in the table."""

    wanted: str
    got: str
    reached: bool
    reason: str = ""


@dataclass(frozen=True)
class Column:
    """A metric as the table heads it; `digits` after the point."""

    metric: str
    heading: str
    digits: int = 0


@dataclass(frozen=True)
class Result:
    """A benchmark's outcome."""

    name: str
    title: str
    rounds: int
    columns: Sequence[Column]
    rows: Sequence[Row]
    goals: Sequence[Goal]
    notes: Sequence[str]


def show(result: Result, console: Console) -> None:
    """Print the table: medians, and the lowest and highest round behind them where they differ."""
    table = Table(title=f"{result.title} (medians of {result.rounds} rounds, lowest to highest)", title_justify="left")
    table.add_column("")
    for column in result.columns:
        table.add_column(column.heading, justify="right")
    for row in result.rows:
        table.add_row(row.name, *(_cell(row, column) for column in result.columns))
    console.print(table)
    for goal in result.goals:
        mark = "[green]reached[/]" if goal.reached else "[red]missed [/]"
        console.print(f"  {mark} {goal.wanted}: {goal.got}" + (f". {goal.reason}" if goal.reason else ""))
    for note in result.notes:
        console.print(f"  [dim]{note}[/]")


def _cell(row: Row, column: Column) -> str:
    if column.metric in row.facts:
        return f"{row.facts[column.metric]:.{column.digits}f}"
    spread = row.figures.get(column.metric)
    if spread is None:
        return ""
    digits = column.digits
    return f"{spread.median:.{digits}f} [dim]{spread.low:.{digits}f}..{spread.high:.{digits}f}[/]"


def save(result: Result, folder: Path) -> Path:
    """Write the result with the machine's facts and return its place."""
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / f"{result.name}.json"
    document = {
        "name": result.name,
        "title": result.title,
        "rounds": result.rounds,
        "machine": machine.facts(),
        "goals": [asdict(goal) for goal in result.goals],
        "rows": [_rounded(row) for row in result.rows],
        "notes": list(result.notes),
    }
    place.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    return place


def _rounded(row: Row) -> dict[str, object]:
    return {
        "name": row.name,
        "about": row.about,
        **{metric: round(value, 3) for metric, value in row.facts.items()},
        **{
            metric: {part: round(value, 1) for part, value in asdict(spread).items()}
            for metric, spread in row.figures.items()
        },
    }
