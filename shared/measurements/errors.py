"""What measurements refuse."""

from tenant_context.errors import Conflict, NotFound


class BatchNotFound(NotFound):
    """No such batch of this tenant (yet): a batch is listed once its first rows are processed."""

    code, title = "batch-not-found", "There is no such batch, or none of its rows was processed yet"


class RejectedNotFound(NotFound):
    """No such refused row of this tenant."""

    code, title = "rejected-row-not-found", "There is no such refused row"


class AlreadyResubmitted(Conflict):
    """The refused row was sent again before, and taken."""

    code, title = "already-resubmitted", "The row was sent again already"
