"""Synthesizes the stages once per test run."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.infra.templates import Templates

ROOT = Path(__file__).resolve().parents[2]


def synthesize(stage: str, into: Path) -> subprocess.CompletedProcess[str]:
    """Run the app as the CDK's command line would, cdk-nag included."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "RMAP_STAGE"))}
    environment |= {"CDK_OUTDIR": str(into), "RMAP_STAGE": stage}
    return subprocess.run(
        [sys.executable, "-m", "infra.app"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def _once(stage: str, factory: pytest.TempPathFactory) -> Templates:
    """Synthesize a stage in the first test process that asks; the others wait for it."""
    base = factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / f"synth-{stage}"
    with (shared / f"synth-{stage}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        failure = shared / f"synth-{stage}.failed"
        if not folder.exists() and not failure.exists():
            done = synthesize(stage, folder)
            if done.returncode != 0:
                failure.write_text(done.stdout + done.stderr)
        if failure.exists():
            pytest.fail(f"{stage} does not synthesize:\n{failure.read_text()[-4000:]}", pytrace=False)
    return Templates(folder)


@pytest.fixture(scope="session")
def prod(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    return _once("prod", tmp_path_factory)


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    return _once("local", tmp_path_factory)
