"""Writes what Stripe said into the tenant."""
