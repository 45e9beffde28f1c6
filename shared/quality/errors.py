"""What quality refuses."""

from tenant_context.errors import FieldError, Invalid, NotFound


class SensorNotFound(NotFound):
    """No such sensor in this tenant."""

    code, title = "sensor-not-found", "There is no such sensor"


class WrongDays(Invalid):
    """Days that end before they begin, or are too many."""

    code, title = "range-order", "The days cannot be shown"

    def __init__(self, code: str, message: str) -> None:
        super().__init__(errors=(FieldError("?to", code, message),))
