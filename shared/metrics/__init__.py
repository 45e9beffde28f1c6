"""What happened in the stores, read from the rollups."""
