"""How each source signs, and what it tells."""
