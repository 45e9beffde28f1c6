"""What a call comes to."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call came to: a status, or an error in words, or both where the answer broke off.

    `body` is what was read of the answer, as much as the caller keeps; `timing` in milliseconds since the call began,
    by step.
    """

    status: int | None
    error: str = ""
    body: bytes = b""
    retry_after: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of the answer, names in lower case."""
    timing: Mapping[str, float] = field(default_factory=dict)
