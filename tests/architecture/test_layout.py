"""A path can be guessed: six rooms in a domain, a docstring on every door, no file beyond one thought."""

import ast
from collections.abc import Iterable
from pathlib import Path

import pytest

from infra import catalog
from infra.settings import ROOT

ROOMS = {"model", "rules", "repository", "gateway", "service", "errors"}
LONGEST = 400
KERNEL = ROOT / "layers" / "tenant_context" / "python" / "tenant_context"
OURS = (ROOT / "functions", ROOT / "shared", KERNEL, ROOT / "infra", ROOT / "local", ROOT / "bench")
FORBIDDEN = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "base_service"}


def modules(*folders: Path) -> list[Path]:
    return sorted(file for folder in folders for file in folder.rglob("*.py") if "node_modules" not in file.parts)


def relative(files: Iterable[Path]) -> list[str]:
    return [str(file.relative_to(ROOT)) for file in files]


DOMAINS = sorted(folder for folder in (ROOT / "shared").iterdir() if (folder / "__init__.py").is_file())


@pytest.mark.parametrize("domain", DOMAINS, ids=lambda folder: folder.name)
def test_a_domain_has_only_the_six_rooms(domain: Path) -> None:
    rooms = {entry.stem for entry in domain.iterdir() if entry.name not in {"__init__.py", "__pycache__"}}
    assert rooms <= ROOMS


def test_shared_holds_domains_only() -> None:
    loose = [entry for entry in (ROOT / "shared").iterdir() if entry not in DOMAINS]
    assert {entry.name for entry in loose} <= {"__init__.py", "__pycache__"}


def test_every_folder_of_functions_is_a_row_of_the_catalog() -> None:
    folders = {entry.name for entry in (ROOT / "functions").iterdir() if (entry / "__init__.py").is_file()}
    assert folders == {row.name for row in catalog.FUNCTIONS}


def test_every_module_says_what_it_is() -> None:
    silent = [file for file in modules(*OURS) if not ast.get_docstring(ast.parse(file.read_text()))]
    # Peers of the benchmarks are written as their own kind writes them.
    assert [name for name in relative(silent) if not name.startswith("bench/peers/")] == []


def test_every_migration_is_plain_sql_beside_its_revision() -> None:
    home = ROOT / "functions" / "migrations"
    revisions = {file.stem for file in (home / "versions").glob("[0-9]*.py")}
    assert revisions == {file.stem for file in (home / "sql").glob("*.sql")}


def test_no_file_is_longer_than_a_thought() -> None:
    long = [file for file in modules(*OURS, ROOT / "tests") if len(file.read_text().splitlines()) > LONGEST]
    assert relative(long) == []


def test_no_room_is_called_after_its_clutter() -> None:
    assert relative(file for file in modules(*OURS) if file.stem in FORBIDDEN) == []


def test_wiring_happens_in_handlers_alone() -> None:
    """A Kernel or a Database is made in handler.py; everything else is given one."""
    made = {
        str(file.relative_to(ROOT))
        for file in modules(ROOT / "functions", ROOT / "shared")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"Kernel", "Database"}
    }
    assert made == {f"functions/{row.name}/handler.py" for row in catalog.FUNCTIONS}


def test_nothing_commits_but_the_kernel() -> None:
    """One invocation or record is one transaction, and the entry points open it; migrations have their own."""
    words = {"commit", "rollback"}
    found = {
        str(file.relative_to(ROOT))
        for file in modules(ROOT / "functions", ROOT / "shared")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in words
    }
    assert found == set()
