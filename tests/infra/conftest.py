"""Synthesizes every stage once per test run."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.infra.templates import Templates

ROOT = Path(__file__).resolve().parents[2]

DOMAIN = {
    "RMAP_DOMAIN": "api.example.com",
    "RMAP_CERTIFICATE": "arn:aws:acm:us-east-1:111122223333:certificate/00000000-0000-0000-0000-000000000000",
    "RMAP_ZONE_ID": "Z00000000000000000000",
    "RMAP_ZONE_NAME": "example.com",
}
VARIANTS = {
    "dev": {"RMAP_STAGE": "dev"},
    "staging": {"RMAP_STAGE": "staging"},
    "dev-domain": {"RMAP_STAGE": "dev", **DOMAIN},
    "staging-domain": {"RMAP_STAGE": "staging", **DOMAIN},
}
"""The deployments beside prod and local; what differs is whether there is an edge, and whether there is a domain."""
DEPLOYMENTS = {"prod": {"RMAP_STAGE": "prod"}, "local": {"RMAP_STAGE": "local"}, **VARIANTS}

_SYNTHESES = """
import json, os, sys
from infra.app import make_app

for name, variables in json.loads(sys.argv[1]).items():
    os.environ.update(variables)
    make_app(outdir=f"{sys.argv[2]}/{name}").synth()
    for variable in variables:
        del os.environ[variable]
    print(name, flush=True)
"""
"""Runs the app as the CDK's command line would, cdk-nag included; only the first synthesis of a process takes long."""


def synthesize(into: Path) -> subprocess.CompletedProcess[str]:
    """Make the templates of every deployment, each in a folder of its name."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "RMAP_"))}
    compiler = {key: value for key, value in os.environ.items() if key == "RMAP_PYTHON313"}
    return subprocess.run(
        [sys.executable, "-c", _SYNTHESES, json.dumps(DEPLOYMENTS), str(into)],
        cwd=ROOT, env=kept | compiler, capture_output=True, text=True, check=False,
    )  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test that asks waits for every synthesis: a minute, on a busy machine several."""
    for item in items:
        if "syntheses" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(900))


@pytest.fixture(scope="session")
def syntheses(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made in the first test process that asks; the others wait for it."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, failure = shared / "synth", shared / "synth.failed"
    with (shared / "synth.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists() and not failure.exists():
            done = synthesize(folder)
            if done.returncode != 0:
                failure.write_text(f"after {done.stdout.split()}:\n{done.stderr}")
        if failure.exists():
            pytest.fail(f"a stage does not synthesize, {failure.read_text()[-4000:]}", pytrace=False)
    return folder


@pytest.fixture(scope="session")
def prod(syntheses: Path) -> Templates:
    return Templates(syntheses / "prod")


@pytest.fixture(scope="session")
def local(syntheses: Path) -> Templates:
    return Templates(syntheses / "local")


@pytest.fixture(scope="session")
def variants(syntheses: Path) -> dict[str, Templates]:
    return {name: Templates(syntheses / name) for name in VARIANTS}
