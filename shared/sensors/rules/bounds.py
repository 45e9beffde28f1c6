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
MONEY_STEP, QUANTITY_STEP = Decimal("0.0001"), Decimal("0.001")
"""As fine as the tables keep them: what is finer would be rounded without a word."""


def amount_fault(amounts: Iterable[tuple[str, Decimal, Decimal]]) -> tuple[str, str, str] | None:
    """Field, code and sentence of the first amount that cannot be kept as it is."""
    for field, amount, step in amounts:
        # Compared, not reckoned with: a decimal may have an exponent that overflows any arithmetic.
        if not amount.is_finite() or not -LARGEST <= amount <= LARGEST:
            return field, "amount", "must be a decimal number of sensible size"
        if amount != amount.quantize(step):
            return field, "too-fine", f"is finer than {step}, which is as fine as it is kept"
    return None
