"""What can be: moments, intervals and amounts that the tables keep as they are."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

OLDEST = datetime(2000, 1, 1, tzinfo=UTC)
AHEAD = timedelta(minutes=5)
"""How far a device's clock may run ahead before its rows are refused."""
LONGEST = timedelta(hours=24)
LARGEST = 10**9
"""No amount on a receipt, in units of its currency, and no quantity is larger."""
LARGEST_ROW = 500_000
"""Bytes of a receipt: a message of the queue holds a million, and refused rows may be beside it."""
MOST_PLACES = 28
"""No amount is written with more of them: PostgreSQL reads no number with a thousand times as many, be they zeros."""
MOST_PEOPLE = 1_000_000
"""No interval counts more of them, be it several lines' together."""
MONEY_STEP, QUANTITY_STEP = Decimal("0.0001"), Decimal("0.001")
"""As fine as the tables keep them: what is finer would be rounded without a word."""
_NO_SIZE = "must be a decimal number of sensible size"


def amount_fault(amounts: Iterable[tuple[str, Decimal, Decimal]]) -> tuple[str, str, str] | None:
    """Field, code and sentence of the first amount that cannot be kept as it is."""
    for field, amount, step in amounts:
        # Compared, not reckoned with: a decimal may have an exponent that overflows any arithmetic.
        if not amount.is_finite() or not -LARGEST <= amount <= LARGEST:
            return field, "amount", _NO_SIZE
        places = -int(amount.as_tuple().exponent)
        if not -MOST_PLACES <= places <= MOST_PLACES:
            told = f"is written with more than {MOST_PLACES} places after the point"
            return (field, "amount", _NO_SIZE) if places < 0 else (field, "too-fine", told)
        if amount != amount.quantize(step):
            return field, "too-fine", f"is finer than {step}, which is as fine as it is kept"
    return None


def units_fault(quantities: Iterable[Decimal]) -> tuple[str, str, str] | None:
    """The same of a receipt's pieces, which are kept together too; each of them can be kept."""
    if abs(sum(quantities, Decimal(0))) > LARGEST:
        return "lines", "amount", f"are more than {LARGEST} pieces together"
    return None
