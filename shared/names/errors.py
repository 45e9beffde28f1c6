"""What is no name."""


class NotAHost(ValueError):
    """No name that a host on the internet can have."""
