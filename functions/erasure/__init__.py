"""Erases tenants that are closed."""
