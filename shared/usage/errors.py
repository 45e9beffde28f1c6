"""What usage refuses."""

from tenant_context.errors import FieldError, Invalid


class RangeTooLong(Invalid):
    """More hours than an answer holds."""

    def __init__(self, days: int) -> None:
        super().__init__(errors=(FieldError("?to", "range", f"must be after from, by {days} days at most"),))
