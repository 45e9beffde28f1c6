"""Webhooks, as functions use them: endpoints for the API, fan-out for the bus, dispatch for the queue."""
