"""What receipts refuse."""

from tenant_context.errors import FieldError, Invalid


class WrongRange(Invalid):
    """A range that ends before it begins, or is longer than may be asked for."""

    code, title = "range", "The range cannot be"

    def __init__(self, message: str) -> None:
        super().__init__(errors=(FieldError("?to", "range", message),))
