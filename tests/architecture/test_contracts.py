"""The import contracts of pyproject.toml hold, and each of them bites."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from infra.settings import ROOT

LINTER = Path(sys.executable).with_name("lint-imports")
KERNEL = Path("layers/tenant_context/python/tenant_context")
VIOLATIONS = {
    # file: the line that breaks a contract
    "shared/sites/model.py": "import functions.auth.routes",
    "functions/sites/routes/sites.py": "import functions.auth.schemas, chalice, aws_lambda_powertools",
    "functions/sites/schemas/sites.py": "import psycopg.errors, pytest",
    "shared/sites/utils.py": '"""A room that the house does not have."""',
    "shared/events/rules/catalogue.py": "import shared.webhooks.model",
    "shared/campaigns/rules.py": "import tenant_context.postgres",
    "shared/billing/service/following.py": "import stripe",
    "shared/sites/service/sites.py": "import pynamodb.models, webauthn",
}


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, "PYTHONPATH": str(folder / KERNEL.parent), "COLUMNS": "300"}
    return subprocess.run(
        [LINTER, "--no-cache"], cwd=folder, env=variables, capture_output=True, text=True, check=False
    )


def verdicts(output: str) -> list[str]:
    """One word for each contract: the output may break a long name into lines."""
    found = [word for line in output.splitlines() for word in ("KEPT", "BROKEN") if line.endswith(word)]
    assert len(found) == len(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"])
    return found


def test_every_contract_is_kept() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout
    assert set(verdicts(done.stdout)) == {"KEPT"}


def test_every_contract_can_be_broken(tmp_path: Path) -> None:
    for name in ("functions", "shared", "infra", "local", "bench"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / KERNEL, tmp_path / KERNEL, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for path, line in VIOLATIONS.items():
        with (tmp_path / path).open("a") as file:
            file.write(f"\n{line}\n")
    done = lint(tmp_path)
    assert done.returncode == 1, done.stderr
    assert set(verdicts(done.stdout)) == {"BROKEN"}, done.stdout
