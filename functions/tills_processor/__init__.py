"""Writes queued till transactions and the rollups they touch."""
