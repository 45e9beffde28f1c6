"""What the tests of the architecture share: the import graph, the built bundles, the runtime's own packages."""

from pathlib import Path

import grimp
import pytest

from bench.sandbox import runtime as runtime_folder
from infra import assets
from infra.assets import Assets


@pytest.fixture(scope="session")
def built() -> Assets:
    """Every layer and function, for the interpreter at hand."""
    return assets.build("local")


@pytest.fixture(scope="session")
def runtime() -> Path:
    """boto3 and what it needs, as Lambda brings them."""
    return runtime_folder()


@pytest.fixture(scope="session")
def graph() -> grimp.ImportGraph:
    """Who imports whom, also beyond our own code."""
    return grimp.build_graph("functions", "shared", "tenant_context", include_external_packages=True, cache_dir=None)
