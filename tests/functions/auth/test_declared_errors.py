"""Each operation of auth says what it raises, and its address tells each of it in the API's description."""

import ast
import inspect
import re
from typing import Any

import pytest

from functions.auth.routes import declared, routes
from local.openapi.problems import possible
from shared.federation import errors as federation
from shared.identity import errors as identity
from tenant_context import assurance
from tenant_context import errors as kernel
from tenant_context.errors import RmapError
from tenant_context.routing import Route

PARTS = {name: eval(kind) if isinstance(kind, str) else kind for name, kind in declared.Auth.__annotations__.items()}  # noqa: S307
KNOWN = {
    name: kind
    for module in (kernel, assurance, federation, identity)
    for name, kind in vars(module).items()
    if isinstance(kind, type) and issubclass(kind, RmapError)
}


def operations(route: Route) -> list[Any]:
    """What a route calls of its services: `auth.<part>.<operation>`."""
    found = []
    for node in ast.walk(ast.parse(inspect.getsource(route.handler))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute):
            part = node.value
            if isinstance(part.value, ast.Name) and part.value.id == "auth":
                found.append(getattr(PARTS[part.attr], node.attr))
    return found


def said(operation: Any) -> list[str]:
    """The errors that a docstring names."""
    match = re.search(r"Errors: (.*)", " ".join((operation.__doc__ or "").split()))
    return re.findall(r"\b[A-Z]\w+", match[1].partition(". ")[0]) if match else []


@pytest.mark.parametrize("route", routes.all, ids=lambda route: f"{route.method} {route.path}")
def test_an_address_tells_every_error_of_what_it_does(route: Route) -> None:
    names = [name for operation in operations(route) for name in said(operation)]
    assert set(names) <= KNOWN.keys(), "a docstring names an error that there is not"
    statuses = {KNOWN[name].status: name for name in names}
    told = possible(route, takes_body=route.body is not None)
    assert not {name for status, name in statuses.items() if status not in told}


def test_operations_that_let_people_in_say_what_stops_them() -> None:
    """Whatever opens a session or renews its tokens can meet a closed organization."""
    identity_ = PARTS["identity"]
    for name in ("log_in", "answer", "answer_passkey", "join_anew", "join", "switch", "refresh"):
        assert {"OrganizationClosed", "SessionEnded"} <= set(said(getattr(identity_, name))), name
