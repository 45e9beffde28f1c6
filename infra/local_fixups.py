"""What the local AWS endpoint drops from functions without a word, set by its API after a deploy."""

from __future__ import annotations

from typing import Any

from infra import catalog
from infra.settings import STAGES


def cap_copies(functions: Any) -> None:
    """Cap the copies of each function, by a boto3 Lambda client that points at the local endpoint.

    Each call states a fact, so it may run after every deploy. Queue consumers are capped by their event sources
    too, so that their messages wait; a request beyond the cap is refused with 429.
    """
    for row in catalog.FUNCTIONS:
        functions.put_function_concurrency(
            FunctionName=STAGES["local"].named(row.name), ReservedConcurrentExecutions=row.local_concurrency
        )
