"""What figures refuse."""

from tenant_context.errors import FieldError, Invalid, NotFound


class PlaceNotFound(NotFound):
    """No such site in this tenant."""

    code, title = "site-not-found", "There is no such site"


class WrongCurrency(Invalid):
    """An amount of no currency, or a currency of what is no amount."""

    code, title = "wrong-currency", "The currency is missing, or not needed"

    def __init__(self, pointer: str, code: str, message: str) -> None:
        super().__init__(errors=(FieldError(pointer, code, message),))
