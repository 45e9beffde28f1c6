"""What metrics refuse."""

from collections.abc import Sequence

from tenant_context.errors import FieldError, Invalid, NotFound


class SiteNotFound(NotFound):
    """No such site in this tenant."""

    code, title = "site-not-found", "There is no such site"


class RangeTooLong(Invalid):
    """More points than one answer holds."""

    code, title = "range-too-long", "The range holds too many points"

    def __init__(self, most: int, what: str = "points") -> None:
        super().__init__(errors=(FieldError("?to", "range-too-long", f"gives more than {most} {what}"),))


class RangeOrder(Invalid):
    """`to` is not after `from`."""

    code, title = "range-order", "The range ends before it starts"

    def __init__(self) -> None:
        super().__init__(errors=(FieldError("?to", "range-order", "must be after from"),))


class RangeOutside(Invalid):
    """A moment that no rollup is of."""

    code, title = "range-outside", "The range is outside of what can be measured"

    def __init__(self, field: str) -> None:
        super().__init__(errors=(FieldError(field, "range-outside", "must be between 2000 and 2100"),))


class SeveralCurrencies(Invalid):
    """Amounts of several currencies, which are never added."""

    code, title = "several-currencies", "There are amounts of several currencies"

    def __init__(self, currencies: Sequence[str]) -> None:
        text = f"say which: {', '.join(currencies)}"
        super().__init__(errors=(FieldError("?currency", "several-currencies", text),))


class WrongQuestion(Invalid):
    """Two things that do not go together."""

    code, title = "wrong-question", "This cannot be asked together"

    def __init__(self, field: str, text: str) -> None:
        super().__init__(errors=(FieldError(field, "wrong-question", text),))
