"""Asks Stripe on behalf of whoever waits for its answer."""
