"""What the processor wrote, noted for the scores."""

from collections.abc import Mapping
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

    def __call__(self, tx: Transaction, data: Mapping[str, Any], outcome: Written | None) -> None:
        """Queue the tally of a part, unless it holds signs of life alone."""
        if outcome is not None:
            self._tallies.note(tx, data, mixed=outcome.stored != len(data["rows"]))
