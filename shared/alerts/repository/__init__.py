"""Rules and alerts in PostgreSQL."""
