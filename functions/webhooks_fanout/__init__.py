"""Turns one domain event into a delivery for each endpoint that asked for it."""
