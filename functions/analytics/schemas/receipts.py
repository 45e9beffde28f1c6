"""The wire's shapes of receipts."""

import base64
import binascii
from datetime import datetime
from typing import Annotated

from pydantic import BeforeValidator, Field, StringConstraints

from shared.receipts.model import Asked, Found, Link, Undone
from tenant_context.errors import FieldError, Invalid
from tenant_context.wire import In, Moment, Out, no_nul


class ReceiptsQuery(In):
    """Which receipts: of a time (`from` included, `to` excluded, 31 days at most), and of one id if wanted."""

    from_: Annotated[Moment, Field(alias="from")]
    to: Moment
    id: Annotated[str, BeforeValidator(no_nul), StringConstraints(min_length=1, max_length=128)] | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str, StringConstraints(max_length=1000)] | None = None

    def asked(self) -> Asked:
        """The domain's form. Raises `Invalid` for a cursor of nobody's."""
        return Asked(self.from_, self.to, self.id, self._after(), self.limit)

    def _after(self) -> tuple[datetime, str] | None:
        if self.cursor is None:
            return None
        try:
            moment, _, last = base64.urlsafe_b64decode(self.cursor + "==").decode().partition("|")
            return datetime.fromisoformat(moment), str(no_nul(last))
        except (ValueError, binascii.Error) as error:
            raise Invalid(errors=(FieldError("?cursor", "cursor", "is not one this API gave"),)) from error


def cursor_of(last: Found) -> str:
    """The opaque cursor that continues after a receipt."""
    return base64.urlsafe_b64encode(f"{last.at.isoformat()}|{last.id}".encode()).decode().rstrip("=")


class ReceiptLineOut(Out):
    """One line: what, how many, at which price each."""

    sku: str
    quantity: str
    unit_price: str


class OriginalOut(Out):
    """The receipt that another undoes."""

    id: str
    time: str
    total: str


class UndoesOut(Out):
    """What a cancellation or a return undoes.

    `missing` while no such receipt is there, which may still come; `chained` where that undoes a third itself.
    """

    id: str
    state: Link
    original: OriginalOut | None


class TransactionOut(Out):
    """A receipt as it stands; `undone` is how much of it others undo: no, partly, wholly, or beyond what was bought."""

    id: str
    time: str
    currency: str
    total: str
    units: str
    revision: int
    received_at: str
    lines: list[ReceiptLineOut]
    undoes: UndoesOut | None
    undone: Undone
    undone_by: list[str]


class TransactionPage(Out):
    """A page of receipts, newest first; large ones are fewer than was asked for: `next_cursor` tells of more."""

    items: list[TransactionOut]
    next_cursor: str | None
