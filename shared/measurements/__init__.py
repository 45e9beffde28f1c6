"""Raw counts and transactions, their revisions and their rollups."""
