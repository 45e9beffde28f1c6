"""Writes queued people counts and the rollups they touch."""
