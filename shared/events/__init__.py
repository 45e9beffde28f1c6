"""Domain events: the catalogue of what can happen, and the relay that publishes what was left behind."""
