"""Calls to servers of strangers: webhooks' receivers, identity providers."""
