"""Makes, publishes and retires the keys that sign access tokens."""
