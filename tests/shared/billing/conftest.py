"""Stripe's fixtures."""

from tests.functions.billing.fixtures import closed_connections, secret_name, stand_in

__all__ = ["closed_connections", "secret_name", "stand_in"]
