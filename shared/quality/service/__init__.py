"""Data quality, as functions use it: what came is noted, days are scored, scores and incidents are read."""
