"""Exports as routes and workers use them."""
