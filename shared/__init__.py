"""The domain: what the platform does, apart from how it is called."""
