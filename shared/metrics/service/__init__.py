"""Metrics, as a function uses them."""
