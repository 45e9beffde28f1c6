"""Brings the schema up to date, once for each deployment, before any function that needs it."""
