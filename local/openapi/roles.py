"""docs/api/roles.md: which role may ask what, from the declarations of the routes."""

from local.openapi.discovery import discover
from tenant_context.permissions import ROLES, allows
from tenant_context.routing import SIGNED_IN, Proof, Route

_WHO = {Proof.PUBLIC: "anybody", Proof.KEY: "a key with {}", Proof.OPERATOR: "operators"}
_OWNER = "owner"
_HEAD = """# Who may ask what

Made from the declarations of the routes by `make openapi`; a test asks every address as every role. "recent" wants a
proof of who you are that is no older than fifteen minutes (`POST /api/v1/auth/step-up`). What a user holds beyond their
role, or a key by its scopes, is judged by the permission in the second column; `*` matches on both sides of its dot.
"""


def may(role: str, route: Route) -> bool:
    """Whether a role's permissions reach a route that takes tokens; of owners, whose they are is judged beside."""
    return route.permission == SIGNED_IN or allows(ROLES[role], route.permission or "")


def written() -> str:
    """The document."""
    lines = [_HEAD, f"| address | permission | {' | '.join(ROLES)} |", f"|---|---|{'---|' * len(ROLES)}"]
    others = []
    for function in discover():
        for route in sorted(function.routes, key=lambda route: (route.path, route.method)):
            address = f"`{route.method} {route.path}`"
            if route.proof is not Proof.TOKEN:
                others.append(f"| {address} | {_WHO[route.proof].format(f'`{route.permission}`')} |")
                continue
            needed = "any" if route.permission == SIGNED_IN else f"`{route.permission}`"
            needed = "owners" if route.owners else needed
            marks = " | ".join(
                "✓" if may(role, route) and (role == _OWNER or not route.owners) else "" for role in ROLES
            )
            lines.append(f"| {address} | {needed}{', recent' if route.recent else ''} | {marks} |")
    return "\n".join([*lines, "", "Without a token:", "", "| address | who |", "|---|---|", *others, ""])
