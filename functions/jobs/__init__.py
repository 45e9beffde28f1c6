"""Timed work, started by hand."""
