"""Whom we may call."""
