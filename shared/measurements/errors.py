"""What measurements refuse."""

from tenant_context.errors import Conflict, FieldError, Invalid, NotFound


class BatchNotFound(NotFound):
    """No such batch of this tenant (yet): a batch is listed once its first rows are processed."""

    code, title = "batch-not-found", "There is no such batch, or none of its rows was processed yet"


class RejectedNotFound(NotFound):
    """No such refused row of this tenant."""

    code, title = "rejected-row-not-found", "There is no such refused row"


class AlreadyResubmitted(Conflict):
    """The refused row was sent again before, and taken."""

    code, title = "already-resubmitted", "The row was sent again already"


class TooManyCounts(Invalid):
    """More counts than are calibrated anew at once."""

    code, title = "too-many-counts", "The time holds too many counts"

    def __init__(self, most: int) -> None:
        super().__init__(
            errors=(FieldError("/to", "too-many-counts", f"gives more than {most} counts; do it in parts"),)
        )


class WrongTime(Invalid):
    """A time that ends before it begins."""

    code, title = "range-order", "The range ends before it starts"

    def __init__(self) -> None:
        super().__init__(errors=(FieldError("/to", "range-order", "must be after from"),))
