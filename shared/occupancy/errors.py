"""What occupancy refuses."""

from tenant_context.errors import Conflict, FieldError, Invalid


class NotAStoreOrZone(Conflict):
    """Only stores and zones have a limit, and a course of their days: the days of others are not one."""

    code, title = "not-a-store", "Only a store or a zone has this"


class TooManyStores(Conflict):
    """So many stores are not added up at once."""

    code, title = "too-many-stores", "There are too many stores in it; ask its districts"


class WrongLimit(Invalid):
    """A limit that could never be cleared."""

    code, title = "wrong-limit", "The limit cannot be"

    def __init__(self, pointer: str, code: str, message: str) -> None:
        super().__init__(errors=(FieldError(pointer, code, message),))


class WrongSpan(Invalid):
    """A time that ends before it begins, or is too long."""

    code, title = "range-order", "The time cannot be shown"

    def __init__(self, code: str, message: str) -> None:
        super().__init__(errors=(FieldError("?to", code, message),))


class TooManyLimits(Conflict):
    """An organization has so many limits and no more."""

    code, title = "too-many-limits", "There are too many limits"
