"""What timed work refuses."""

from tenant_context.errors import NotFound


class JobNotFound(NotFound):
    """No job has the name."""

    code, title = "job-not-found", "There is no such job"


class RunNotFound(NotFound):
    """No such run in this tenant."""

    code, title = "run-not-found", "There is no such run"
