"""Leases: who was first to ask for a piece of work."""
