"""Stripe, through its own library: the one room that imports it."""
