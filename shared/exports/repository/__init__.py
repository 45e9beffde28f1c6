"""Tenants' rows as the catalog of PostgreSQL tells of them, and how far the work with them came."""
