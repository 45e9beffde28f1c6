"""The judges of other houses: cdk-nag, cfn-lint and the CDK's own validation find nothing in prod."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.infra.templates import Templates

ROOT = Path(__file__).resolve().parents[2]

WITHOUT_EXCEPTIONS = """
import json, sys
from infra.constructs import nag

accepted = set()

def record(construct, rule, reason):
    assert len(reason) > 40, f"{rule} at {construct.node.path} is accepted without a real reason"
    accepted.add((construct.node.path, rule))

nag.accept = record
from infra import app
from infra.settings import read_deployment

lists = {}
for stage in sys.argv[2:]:
    accepted.clear()
    folder = f"{sys.argv[1]}/{stage}"
    made = app.make_app(read_deployment({"stage": stage}, {}), outdir=folder)
    try:
        made.synth()
    except RuntimeError as refusal:
        assert "ValidationFailed" in str(refusal), refusal
    with open(f"{folder}/validation-report.json") as file:
        reports = json.load(file)["pluginReports"]
    found = {
        (construct["constructPath"], violation["ruleName"].removeprefix("AwsSolutions-"))
        for report in reports
        for violation in report["violations"]
        for construct in violation["violatingConstructs"]
    }
    lists[stage] = {"accepted": sorted(accepted), "found": sorted(found)}
print(json.dumps(lists))
"""
"""Runs cdk-nag as if no finding were accepted, so that the two lists can be compared."""


def test_prod_synthesizes_under_cdk_nag_and_the_cdks_own_rules(prod: Templates) -> None:
    assert prod.violations() == []


def test_every_accepted_finding_of_cdk_nag_is_a_real_one_with_a_reason(tmp_path: Path) -> None:
    stages = ("prod", "dev")
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_EXCEPTIONS, str(tmp_path), *stages],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[max(done.stderr.find("Traceback"), 0) :][:3000]
    lists = json.loads(done.stdout.splitlines()[-1])
    assert {stage: _mismatches(**lists[stage]) for stage in stages} == dict.fromkeys(stages, ([], []))
    assert ["database/Cluster", "RDS10"] in lists["dev"]["accepted"], "which prod has no need of"


def _mismatches(accepted: list[list[str]], found: list[list[str]]) -> tuple[list[list[str]], list[list[str]]]:
    """What is accepted but was never found, and what is found but not accepted."""
    assert found, "cdk-nag looked at nothing"

    def covers(acceptance: list[str], finding: list[str]) -> bool:
        return finding[1] == acceptance[1] and (
            finding[0] == acceptance[0] or finding[0].startswith(f"{acceptance[0]}/")
        )

    idle = [a for a in accepted if not any(covers(a, f) for f in found)]
    return idle, [f for f in found if not any(covers(a, f) for a in accepted)]


def test_cfn_lint_finds_nothing(prod: Templates) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), "--format", "parseable", "--", *prod.files],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_a_template_stays_within_cloudformations_limits(prod: Templates) -> None:
    for name, body in prod.bodies.items():
        assert len(body["Resources"]) < 500, name
        assert len(json.dumps(body)) < 1_000_000, name
        assert len(body.get("Outputs", {})) < 200, name


def test_no_template_tells_a_secret(prod: Templates, local: Templates) -> None:
    for templates in (prod, local):
        for name, body in templates.bodies.items():
            assert "SecretString" not in json.dumps(body).replace("GenerateSecretString", "").replace(
                "SecretStringTemplate", ""
            ).replace(":SecretString:", ""), name


def test_the_lock_of_node_packages_tells_no_address() -> None:
    lock = json.loads((ROOT / "package-lock.json").read_text())
    assert [name for name, package in lock["packages"].items() if "resolved" in package] == []
    assert lock["packages"]["node_modules/aws-cdk"]["version"] == "2.1148.1"
