"""Stores, their sensors, and what became of what was pushed."""
