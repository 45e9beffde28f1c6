"""Stripe's fixtures."""

from tests.functions.billing.fixtures import closed_connections, errands, outcomes, secret_name, stand_in

__all__ = ["closed_connections", "errands", "outcomes", "secret_name", "stand_in"]
