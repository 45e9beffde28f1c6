"""What the processor wrote, noted for the scores."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from shared.quality.repository.tallies import TallyRepository
from tenant_context.postgres import Transaction


class Written(Protocol):
    """What became of a part's rows."""

    @property
    def stored(self) -> int:
        """How many of them were new."""


class Tallies:
    """Notes what the processor wrote, for the scores."""

    def __init__(self, tallies: TallyRepository) -> None:
        self._tallies = tallies

    def __call__(self, tx: Transaction, parts: Sequence[tuple[Mapping[str, Any], Written | None]]) -> None:
        """Queue the tallies of parts, but for those that hold signs of life alone."""
        told = [(data, outcome) for data, outcome in parts if outcome is not None]
        if told:
            mixed = any(outcome.stored != len(data["rows"]) for data, outcome in told)
            self._tallies.note(tx, [data for data, _ in told], mixed=mixed)
