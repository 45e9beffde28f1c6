"""Receipts of tills as they are kept, and what undoes what."""
