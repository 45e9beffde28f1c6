"""Stripe's fixtures."""

from tests.functions.billing.fixtures import secret_name, stand_in

__all__ = ["secret_name", "stand_in"]
