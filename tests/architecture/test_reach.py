"""A function reaches the database or the internet, never both: what it imports, directly or through others, tells.

The kernel imports on request what a function asks it for (`kernel.database()`), so its own imports say nothing
about a function; what a function asks it for does.
"""

import ast

import grimp
import pytest

from infra import catalog
from infra.settings import ROOT
from infra.vocabulary import Access, Function, Reach, Secret, Table

every_function = pytest.mark.parametrize("row", catalog.FUNCTIONS, ids=lambda row: row.name)

KERNEL = "tenant_context.kernel"
ON_REQUEST = {
    "database": "tenant_context.postgres",
    "replica": "tenant_context.postgres",
    "tokens": "tenant_context.identity",
    "keys": "tenant_context.api_keys",
    "operators": "tenant_context.operators",
    "flags": "tenant_context.flags",
    "rows": "tenant_context.rows",
}
"""What a method of the kernel imports when it is called."""
TO_STRANGERS = {"shared.outbound.gateway.client", "shared.outbound.gateway.side_by_side",
                "shared.outbound.gateway.conversation", "shared.billing.gateway.connection", "shared.mail.gateway",
                "stripe"}  # fmt: skip
EXCHANGE = "tenant_context.exchange"
"""Our own in place of `http.client`: it connects to whom it is told, so that whoever imports it opens connections."""
NETWORK = {"http", "socket", "ssl", "socketserver", "ftplib", "smtplib", "telnetlib", "asyncio", "urllib3", "requests",
           "httpx", "aiohttp", "websockets", "boto3", "botocore", "pynamodb", EXCHANGE}  # fmt: skip
SIGNATURE_CHECKS = {"inbound": {"shared.billing.gateway.connection", "stripe"}}
"""The inbox checks a signature with Stripe's library; it calls nobody, and has no way out."""
AWS_ONLY = {
    "tenant_context.aws",
    "shared.leases.gateway",
    "shared.identity.gateway.egress",
    "shared.exports.gateway.archives",
    "shared.uploads.gateway",
}
"""Modules that open connections, to AWS and nobody else."""


def opens_connections(graph: grimp.ImportGraph, module: str) -> bool:
    """Whether a module imports what connects; of urllib, which the graph sees as one, only `request` does."""
    imported = graph.find_modules_directly_imported_by(module)
    lines = [one["line_contents"] for one in graph.get_import_details(importer=module, imported="urllib")]
    return bool(NETWORK & imported) or any("request" in line for line in lines)


def sources(row: Function) -> list[ast.Module]:
    return [ast.parse(file.read_text()) for file in sorted((ROOT / "functions" / row.name).rglob("*.py"))]


def asked_of_the_kernel(row: Function) -> set[str]:
    """The methods that a function calls on its kernel."""
    return {
        node.func.attr
        for tree in sources(row)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "kernel"
    }


@pytest.fixture
def imported(row: Function, graph: grimp.ImportGraph) -> set[str]:
    """Every module a function imports, through whomever, without what the kernel imports only for others."""
    found = {f"functions.{row.name}", *graph.find_descendants(f"functions.{row.name}")}
    waiting = list(found)
    while waiting:
        module = waiting.pop()
        onward = set(graph.find_modules_directly_imported_by(module))
        if module == KERNEL:
            onward -= {
                "tenant_context.postgres",
                "tenant_context.entry.writes",
                "tenant_context.bus",
                *ON_REQUEST.values(),
            }
            onward |= {ON_REQUEST[name] for name in asked_of_the_kernel(row) if name in ON_REQUEST}
        waiting += onward - found
        found |= onward
    return found


@every_function
def test_only_database_functions_import_postgresql(row: Function, imported: set[str]) -> None:
    reaches = bool({"psycopg", "tenant_context.postgres"} & imported)
    assert reaches == (row.reach is Reach.DATABASE)


@every_function
def test_only_internet_functions_import_clients_of_strangers(row: Function, imported: set[str]) -> None:
    strangers = TO_STRANGERS & imported
    if row.reach is Reach.INTERNET:
        assert strangers
    else:
        assert strangers == SIGNATURE_CHECKS.get(row.name, set())


@every_function
def test_a_function_without_the_internet_opens_no_connection_but_to_aws(
    row: Function, imported: set[str], graph: grimp.ImportGraph
) -> None:
    if row.reach is Reach.INTERNET:
        return
    ours = {module for module in imported if module.split(".")[0] in {"functions", "shared", "tenant_context"}}
    opens = {module for module in ours if opens_connections(graph, module)}
    assert opens <= AWS_ONLY | {EXCHANGE}


def test_whoever_connects_by_our_own_exchange_is_seen(graph: grimp.ImportGraph) -> None:
    users = graph.find_modules_that_directly_import(EXCHANGE)
    assert users == {"tenant_context.aws"}
    assert all(opens_connections(graph, module) for module in {EXCHANGE, *users})


@every_function
def test_what_a_function_asks_the_kernel_for_is_in_its_row(row: Function) -> None:
    asked = asked_of_the_kernel(row)
    owner = row.may(Access.READ_SECRET, Secret.DATABASE_OWNER)
    assert ("database" in asked) == row.may(Access.CONNECT) or owner
    assert ("tokens" in asked) == row.may(Access.READ_TABLE, Table.SIGNING_KEYS)
    assert ("operators" in asked) == row.may(Access.READ_SECRET, Secret.OPERATOR)
    if "keys" in asked:
        assert row.may(Access.READ_SECRET, Secret.PEPPER)


@every_function
def test_each_kernel_method_is_known_here(row: Function) -> None:
    assert asked_of_the_kernel(row) <= {*ON_REQUEST, "http", "clock", "ring"}
