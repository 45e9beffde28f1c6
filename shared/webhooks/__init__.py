"""Webhooks: endpoints, what is delivered to them, signed, and what came of every attempt."""
