"""Wildcards match on both sides, and nothing wider than what is held is ever covered."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenant_context.permissions import PERMISSIONS, ROLES, allows, matches

MATRIX = {
    # needed: the roles that hold it
    "campaigns.read": {"owner", "admin", "manager", "member", "viewer"},
    "campaigns.create": {"owner", "admin", "manager", "member"},
    "campaigns.launch": {"owner", "admin", "manager"},
    "audiences.read": {"owner", "admin", "manager", "member", "viewer"},
    "audiences.write": {"owner", "admin", "manager"},
    "analytics.read": {"owner", "admin", "manager", "viewer"},
    "sites.write": {"owner", "admin", "manager"},
    "sensors.write": {"owner", "admin", "manager"},
    "users.write": {"owner", "admin"},
    "audit.read": {"owner", "admin"},
    "settings.write": {"owner", "admin"},
    "billing.read": {"owner", "admin", "viewer"},
    "billing.write": {"owner"},
    "ingest.write": {"owner", "admin"},
    "tenant.delete": {"owner"},
}


@pytest.mark.parametrize("needed", MATRIX)
def test_the_role_matrix(needed: str) -> None:
    assert {role for role, grants in ROLES.items() if allows(grants, needed)} == MATRIX[needed]


def test_a_viewer_reads_everything_but_the_audit_log_and_writes_nothing() -> None:
    readable = {permission for permission in PERMISSIONS if permission.endswith(".read")}
    assert {permission for permission in PERMISSIONS if allows(ROLES["viewer"], permission)} == readable - {
        "audit.read"
    }


@pytest.mark.parametrize(
    ("granted", "needed", "covers"),
    [
        ("*", "campaigns.read", True),
        ("campaigns.*", "campaigns.read", True),
        ("*.read", "campaigns.read", True),
        ("campaigns.read", "campaigns.read", True),
        ("campaigns.*", "campaigns.*", True),
        ("*", "*", True),
        ("campaigns.*", "sites.read", False),
        ("*.read", "campaigns.write", False),
        ("campaigns.read", "campaigns.*", False),
        ("campaigns.read", "*.read", False),
        ("campaigns.*", "*", False),
        ("*.read", "*", False),
        ("*.read", "*.*", False),
        ("campaigns", "campaigns.read", False),
        ("campaigns.*", "campaignsx.read", False),
        ("campaign.*", "campaigns.read", False),
        ("", "campaigns.read", False),
        ("campaigns.read", "", False),
        ("campaigns.*", "", False),
    ],
)
def test_a_grant_covers_what_it_names(granted: str, needed: str, covers: bool) -> None:  # noqa: FBT001
    assert matches(granted, needed) is covers


part = st.sampled_from(["*", "campaigns", "sites", "read", "write"])
permission = st.one_of(st.just("*"), st.tuples(part, part).map(".".join))
CONCRETE = [f"{area}.{verb}" for area in ("campaigns", "sites", "other") for verb in ("read", "write", "other")]


@given(granted=permission, needed=permission)
def test_whoever_may_give_a_scope_away_holds_all_of_it(granted: str, needed: str) -> None:
    """A key's scopes are checked with `allows`: a covered wildcard opens nothing that its giver could not open."""
    if matches(granted, needed):
        assert all(matches(granted, one) for one in CONCRETE if matches(needed, one))


def test_any_collection_of_grants_will_do() -> None:
    assert allows(["sites.read", "campaigns.*"], "campaigns.read")
    assert not allows((), "campaigns.read")
