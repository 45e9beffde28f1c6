"""What the ingest door refuses as a whole."""

from tenant_context.errors import BadRequest, FieldError, Invalid


class NoRows(Invalid):
    """The push holds no rows."""

    code, title = "no-rows", "The push holds no rows"


class TooManyRows(Invalid):
    """More rows than one push may hold."""

    code, title = "too-many-rows", "The push holds too many rows"

    def __init__(self, limit: int) -> None:
        super().__init__(errors=(FieldError("", "too-many-rows", f"at most {limit} rows a push"),))


class UnreadableCsv(BadRequest):
    """The CSV has no header of ours, or is not text."""

    code, title = "unreadable-csv", "The CSV cannot be read"
