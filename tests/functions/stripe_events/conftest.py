"""Stripe's fixtures."""

from tests.functions.billing.fixtures import outcomes, secret_name, stand_in

__all__ = ["outcomes", "secret_name", "stand_in"]
