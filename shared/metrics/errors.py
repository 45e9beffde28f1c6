"""What metrics refuse."""

from tenant_context.errors import FieldError, Invalid, NotFound


class SiteNotFound(NotFound):
    """No such site in this tenant."""

    code, title = "site-not-found", "There is no such site"


class RangeTooLong(Invalid):
    """More points than one answer holds."""

    code, title = "range-too-long", "The range holds too many points"

    def __init__(self, most: int) -> None:
        super().__init__(errors=(FieldError("?to", "range-too-long", f"gives more than {most} points"),))


class RangeOrder(Invalid):
    """`to` is not after `from`."""

    code, title = "range-order", "The range ends before it starts"

    def __init__(self) -> None:
        super().__init__(errors=(FieldError("?to", "range-order", "must be after from"),))
