"""Who is asking is decided in one place: a TenantContext is made in tenant_context/context.py and nowhere else."""

import ast
from pathlib import Path

import pytest

from infra.settings import ROOT

KERNEL = ROOT / "layers" / "tenant_context" / "python" / "tenant_context"
HOME = KERNEL / "context.py"
FILES = sorted(file for folder in (KERNEL, ROOT / "functions", ROOT / "shared") for file in folder.rglob("*.py"))
MINTS = {
    "from_claims": {"tenant_context/identity.py"},
    "from_key": {"tenant_context/api_keys.py"},
    "from_operator": {"tenant_context/operators.py"},
    "at_tenant": {
        "functions/tenants/routes/plans.py",
        "functions/exports/routes.py",
        "functions/inbound/routes/operators.py",
    },
    "from_signature": {"shared/inbox/service/receiving.py"},
    "from_dns": {"shared/places/service/domains.py"},
    "from_message": {"tenant_context/entry/queue.py", "tenant_context/entry/invoke.py"},
}
"""Who may mint from what was verified; the rest is minted where a domain has verified it itself."""
REPLACERS = {"replace", "copy", "deepcopy", "__new__", "__replace__"}


def calls(file: Path) -> list[ast.Call]:
    return [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]


def name_of(call: ast.Call) -> str:
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def short(file: Path) -> str:
    parts = file.relative_to(ROOT).parts
    return "/".join(parts[3:] if parts[0] == "layers" else parts)


def test_a_context_is_made_in_its_home_only() -> None:
    made = {short(file) for file in FILES for call in calls(file) if name_of(call) == "TenantContext"}
    assert made == {short(HOME)}


def test_no_context_is_made_out_of_another() -> None:
    """`dataclasses.replace(tenant, tenant=…)` would be a second mint."""
    found = [
        f"{short(file)}:{call.lineno}"
        for file in FILES
        for call in calls(file)
        if name_of(call) in REPLACERS
        and any(isinstance(arg, ast.Name) and arg.id in {"tenant", "context", "TenantContext"} for arg in call.args)
    ]
    assert found == []


@pytest.mark.parametrize("mint", MINTS)
def test_a_mint_is_used_by_whoever_verified(mint: str) -> None:
    used = {short(file) for file in FILES for call in calls(file) if name_of(call) == mint}
    assert used == MINTS[mint]


def test_nothing_keeps_a_tenant_for_the_next_caller() -> None:
    """No module-level name holds a context: a warm sandbox would remember its last caller."""
    kept = [
        f"{short(file)}:{node.lineno}"
        for file in FILES
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.AnnAssign | ast.Assign)
        and "TenantContext" in ast.unparse(node)
        # An alias of a type says what functions take.
        and "Callable[" not in ast.unparse(node)
    ]
    assert kept == []
