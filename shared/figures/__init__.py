"""What places came to in a time, for whoever compares it with something: targets, alerts, limits."""
