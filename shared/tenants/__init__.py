"""Tenants: the organizations of the API."""
