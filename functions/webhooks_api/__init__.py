"""Webhook endpoints, their secrets, and what was delivered to them; the catalogue of events."""
