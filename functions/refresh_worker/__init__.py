"""Does one tenant's share of timed work."""
