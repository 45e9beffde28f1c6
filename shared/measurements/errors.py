"""What measurements refuse."""

from tenant_context.errors import NotFound


class BatchNotFound(NotFound):
    """No such batch of this tenant (yet): a batch is listed once its first rows are processed."""

    code, title = "batch-not-found", "There is no such batch, or none of its rows was processed yet"
