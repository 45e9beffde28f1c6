"""What opening hours refuse."""

from tenant_context.errors import FieldError, Invalid


class WrongHours(Invalid):
    """Hours by which nobody could tell whether it is open."""

    code, title = "wrong-hours", "The opening hours cannot be"

    def __init__(self, pointer: str, code: str, message: str) -> None:
        super().__init__(errors=(FieldError(pointer, code, message),))
