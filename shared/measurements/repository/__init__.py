"""Raw rows, what they replaced, and what became of batches in PostgreSQL."""
