"""Stores, their sensors, their metrics, and what became of what was pushed."""
