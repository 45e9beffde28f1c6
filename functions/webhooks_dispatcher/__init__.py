"""Makes the signed HTTPS call to a receiver and plans the next attempt. It has no way to the database."""
