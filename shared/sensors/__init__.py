"""Counts and transactions: from a push at the door to raw rows and their rollups."""
