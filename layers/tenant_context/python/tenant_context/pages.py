"""How much of a list one answer has room for: a function may answer with 6 MB, and JSON within its answer is quoted."""

from collections.abc import Iterable

MOST_BYTES = 3_000_000


def fitting(sizes: Iterable[int]) -> int:
    """How many of some items of so many bytes, at least one, an answer has room for."""
    weight, number = 0, 0
    for number, size in enumerate(sizes, start=1):
        weight += size + 1
        if weight > MOST_BYTES and number > 1:
            return number - 1
    return number
