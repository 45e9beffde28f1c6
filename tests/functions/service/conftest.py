"""Nothing of a test stays open."""

from tests.functions.billing.fixtures import closed_connections

__all__ = ["closed_connections"]
