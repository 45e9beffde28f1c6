"""Queues the attempts of webhooks that were planned for later than a queue can hold them back."""
