"""Places in PostgreSQL."""
