"""Stripe's fixtures."""

from tests.functions.billing.fixtures import closed_connections, outcomes, secret_name, stand_in, table_name

__all__ = ["closed_connections", "outcomes", "secret_name", "stand_in", "table_name"]
