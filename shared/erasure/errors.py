"""What stops an erasure."""


class Busy(Exception):
    """Another copy of the work has it; this one goes back to the queue until that has ended."""


class NotClosed(Exception):
    """The tenant is not closed: nothing of it may go."""
