"""What is kept of a call, and how the log is searched."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

from shared.outbound.model import Outcome
from shared.webhooks.model import End

MOST_HEADERS = 60
LONGEST_HEADER = 1_000
MOST_BYTES = 3_000_000
"""Of attempts in one answer: a function may answer with 6 MB, and JSON Lines travel in base64."""
_OTHER = 1_000
"""Bytes of an attempt beside what was sent and answered."""
REDACTED = "(not shown)"
SHORTEST_SECRET = 8
_LOWEST = datetime(1970, 1, 1, tzinfo=UTC)
_SECRET = frozenset({"set-cookie", "www-authenticate", "proxy-authenticate", "authorization", "cookie"})


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time; open where there is no end."""

    since: datetime | None = None
    until: datetime | None = None

    def times(self) -> tuple[str, str]:
        """Between which sort keys what begins with a moment stands."""
        return _text(self.since or _LOWEST), f"{_text(self.until)}#" if self.until else "9"

    def holds(self, moment: str) -> bool:
        """Whether a moment, as RFC 3339 has it, is in it."""
        low, high = self.times()
        return low <= moment <= high

    def messages(self) -> tuple[str, str]:
        """Between which ids the messages of events of that time are: a UUIDv7 begins with its milliseconds."""
        return _id_at(self.since or _LOWEST), _id_at(self.until) if self.until else "g"


@dataclass(frozen=True, slots=True)
class Search:
    """Which attempts; `status` is a number, `2xx` to `5xx`, or `none` where there was no answer."""

    span: Span = Span()
    type: str | None = None
    status: str | None = None
    message: UUID | None = None

    def fits(self, attempt: Mapping[str, Any]) -> bool:
        """Whether an attempt is one of those that are looked for; its message is not looked at."""
        if not self.span.holds(str(attempt["at"])):
            return False
        if self.type is not None and attempt["type"] != self.type:
            return False
        if self.status is None:
            return True
        found = attempt["status"]
        if self.status == "none" or found is None:
            return self.status == "none" and found is None
        return self.status in {str(found), f"{int(found) // 100}xx"}


def shown_request(headers: Mapping[str, str], own: Iterable[str]) -> dict[str, str]:
    """What was sent, as the log keeps it: the values of an endpoint's own headers may be secrets."""
    hidden = {name.lower() for name in own}
    return {name: REDACTED if name.lower() in hidden else value for name, value in headers.items()}


def shown_answer(headers: Mapping[str, str]) -> dict[str, str]:
    """What was answered, as the log keeps it: so many headers, so long, and none that is there to let somebody in.

    Names are bounded as values are: DynamoDB refuses one of 64 KB.
    """
    kept = list(headers.items())[:MOST_HEADERS]
    return {
        name[:LONGEST_HEADER]: REDACTED if name.lower() in _SECRET else value[:LONGEST_HEADER] for name, value in kept
    }


def without(answered: Outcome, values: Iterable[str]) -> Outcome:
    """An answer without an endpoint's own headers, which a receiver may send back; short values are no secrets."""
    hidden = [value for value in values if len(value) >= SHORTEST_SECRET]
    body, headers = answered.body, dict(answered.headers)
    for value in hidden:
        body = body.replace(value.encode(), REDACTED.encode())
        headers = {name: said.replace(value, REDACTED) for name, said in headers.items()}
    return replace(answered, body=body, headers=headers) if hidden else answered


def fitting(attempts: Sequence[Mapping[str, Any]]) -> int:
    """How many of some attempts, at least one, fit into an answer, whatever receivers said."""
    weight = 0
    for number, attempt in enumerate(attempts):
        said = (attempt["body"], attempt.get("answered"), attempt.get("sent"))
        weight += len(msgspec.json.encode(said)) + _OTHER
        if number and weight > MOST_BYTES:
            return number
    return len(attempts)


def explained(why: End, attempts: int, error: str) -> str:
    """Why a delivery was given up, in a sentence."""
    last = f", the last one so: {error}" if error else "."
    match why:
        case End.ORDER:
            return f"Too many later events of its entity waited for it; {attempts} attempts failed{last}"
        case End.SKIPPED:
            return f"Somebody skipped it after {attempts} attempts{last}"
    if attempts == 1:
        return f"Its only attempt failed: {error}" if error else "Its only attempt failed."
    return f"All {attempts} attempts failed{last}"


def _text(moment: datetime) -> str:
    """As sort keys have it, with a fraction: `05Z` would come after `05.9Z`."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _id_at(moment: datetime) -> str:
    digits = f"{int(moment.timestamp() * 1000):012x}"
    return f"{digits[:8]}-{digits[8:]}"
