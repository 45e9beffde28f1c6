"""What stops an erasure, and what its certificate refuses."""

from tenant_context.errors import NotFound


class Busy(Exception):
    """Another copy of the work has it; this one goes back to the queue until that has ended."""


class Untold(Exception):
    """The bus did not take the word of it; the next try says it."""


class NotClosed(Exception):
    """The tenant is not closed: nothing of it may go."""


class NeverErased(NotFound):
    """Nothing of it was erased: it is there, or it never was."""

    code, title = "erasure-not-found", "There is no certificate for this organization"
