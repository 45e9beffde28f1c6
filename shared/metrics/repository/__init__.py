"""Rollups, versions and who is inside, in PostgreSQL."""
