"""What is wrong with a vendor's push, as a whole or in one row of it."""

from tenant_context.errors import BadRequest, FieldError, Invalid, NotFound

VENDORS = ("axis", "hikvision", "irisys", "vivotek", "xovis")


class UnknownVendor(NotFound):
    """The address names no vendor."""

    code, title = "unknown-vendor", "There is no such vendor"

    def __init__(self) -> None:
        super().__init__(f"The vendors are {', '.join(VENDORS)}.")


class Unrecognised(Invalid):
    """The push is in no format that is known, or not in the address's vendor's."""

    code, title = "unrecognised-push", "The push is in no known format"


class Misshapen(Invalid):
    """The push was recognised, but lacks what its format has: `field` is where, the sentence says what."""

    code, title = "misshapen-push", "The push was recognised, but something in it is wrong"

    def __init__(self, form: str, field: str, message: str) -> None:
        where = f" at {field}" if field else ""
        super().__init__(
            f"This was recognised as {form}, but{where}: {message}.",
            errors=(FieldError(f"/{field}" if field else "", "misshapen", message),),
        )


class UnreadablePush(BadRequest):
    """Neither JSON nor XML nor a table, or a dangerous one."""

    code, title = "unreadable-push", "The push cannot be read"


class SensorNeeded(Invalid):
    """The format does not say which device it is from, and the address does not either."""

    code, title = "sensor-needed", "The push does not say which sensor it is from"

    def __init__(self) -> None:
        message = "this format names no device: add ?sensor=<id or serial> to the address"
        super().__init__(errors=(FieldError("?sensor", "sensor-needed", message),))


class Fault(Exception):
    """One row cannot be taken: the field, a code and a sentence. Caught row by row, never an answer."""

    def __init__(self, field: str, code: str, message: str) -> None:
        super().__init__(message)
        self.field, self.code, self.message = field, code, message
