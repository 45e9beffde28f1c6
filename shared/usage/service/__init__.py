"""Recording, reading, and telling of what was used."""
