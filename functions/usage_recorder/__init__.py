"""Writes what was used into the ledger."""
