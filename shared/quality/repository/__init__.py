"""Days, tallies and incidents in PostgreSQL."""
