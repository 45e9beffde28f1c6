"""Stores and the sensors in them."""
