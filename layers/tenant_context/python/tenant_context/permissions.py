"""Roles and what they may do; wildcards match on both sides."""

from collections.abc import Iterable
from functools import lru_cache

ROLES: dict[str, frozenset[str]] = {
    "owner": frozenset({"*"}),
    "admin": frozenset(
        {
            "users.*",
            "campaigns.*",
            "audiences.*",
            "settings.*",
            "billing.read",
            "analytics.*",
            "sites.*",
            "sensors.*",
            "ingest.*",
            "targets.*",
            "alerts.*",
            "webhooks.*",
            "keys.*",
            "jobs.*",
            "audit.read",
            "exports.*",
        }
    ),
    "manager": frozenset(
        {
            "campaigns.*",
            "audiences.*",
            "analytics.read",
            "sites.read",
            "sites.write",
            "sensors.read",
            "sensors.write",
            "targets.read",
            "targets.write",
            "alerts.read",
            "alerts.write",
            "jobs.read",
        }
    ),
    "member": frozenset({"campaigns.read", "campaigns.create", "audiences.read"}),
    "viewer": frozenset(
        {
            "alerts.read",
            "analytics.read",
            "audiences.read",
            "billing.read",
            "campaigns.read",
            "exports.read",
            "ingest.read",
            "jobs.read",
            "keys.read",
            "sensors.read",
            "settings.read",
            "sites.read",
            "targets.read",
            "users.read",
            "webhooks.read",
        }
    ),
}
"""The role matrix. `device` is no role: a device key carries its own scopes. A viewer reads everything but the audit
log, which tells what everybody did, and from where."""

PERMISSIONS = frozenset(
    {
        "alerts.read",
        "alerts.write",
        "analytics.read",
        "audit.read",
        "billing.read",
        "billing.write",
        "campaigns.create",
        "campaigns.launch",
        "campaigns.read",
        "campaigns.update",
        "exports.read",
        "exports.write",
        "ingest.write",
        "jobs.read",
        "jobs.run",
        "keys.read",
        "keys.write",
        "sensors.read",
        "sensors.write",
        "settings.read",
        "settings.write",
        "sites.read",
        "sites.write",
        "sso.write",
        "targets.read",
        "targets.write",
        "users.read",
        "users.write",
        "webhooks.read",
        "webhooks.write",
    }
)
"""Every permission that some address asks for."""


def matches(granted: str, needed: str) -> bool:
    """Whether one grant covers one permission: `*`, `campaigns.*`, `*.read` or the very same words."""
    if granted in {"*", needed}:
        return True
    granted_area, _, granted_verb = granted.partition(".")
    needed_area, _, needed_verb = needed.partition(".")
    return granted_area in {"*", needed_area} and granted_verb in {"*", needed_verb}


@lru_cache(maxsize=4096)
def _allows(granted: frozenset[str], needed: str) -> bool:
    return any(matches(grant, needed) for grant in granted)


def allows(granted: Iterable[str], needed: str) -> bool:
    """Whether any of the grants covers the permission."""
    return _allows(granted if isinstance(granted, frozenset) else frozenset(granted), needed)


def covers(granted: frozenset[str], wanted: frozenset[str]) -> bool:
    """Whether whoever holds `granted` holds all of `wanted`, in what permissions are still to come as well.

    A role that every tenant has may mean what no address asks for yet; whoever may do all that it does may give it.
    """
    if wanted in ROLES.values():
        return all(allows(granted, permission) for permission in PERMISSIONS if allows(wanted, permission))
    return all(any(_contains(grant, pattern) for grant in granted) for pattern in wanted)


def _contains(grant: str, pattern: str) -> bool:
    """Whether a grant means everything that a pattern may ever mean."""
    if grant == "*":
        return True
    pairs = zip(grant.partition(".")[::2], pattern.partition(".")[::2], strict=True)
    return all(mine in {"*", theirs} for mine, theirs in pairs)


def is_known(pattern: str) -> bool:
    """Whether a grant means any permission that there is."""
    return any(matches(pattern, permission) for permission in PERMISSIONS)
