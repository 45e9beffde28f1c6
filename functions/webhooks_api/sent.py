"""The wire's shapes of what was sent: attempts, deliveries, dead letters, messages."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import msgspec
from pydantic import Field, StringConstraints

from shared.webhooks.model import End, State, Wait, What
from shared.webhooks.rules.log import Search, Span, explained
from shared.webhooks.rules.overdue import is_overdue
from tenant_context.clock import utc_now
from tenant_context.wire import In, Moment, Out, PageQuery, Until


class AttemptsQuery(PageQuery):
    """Which attempts. A page may hold fewer than asked for, and yet have a next one."""

    message: UUID | None = None
    """The id of a message, which is its event's; with it, all its attempts are one page."""
    type: Annotated[str, StringConstraints(max_length=128), Field(examples=["campaign.launched"])] | None = None
    status: (
        Annotated[str, StringConstraints(pattern="^([1-5][0-9]{2}|[1-5]xx|none)$"), Field(examples=["5xx"])] | None
    ) = None
    """What the receiver answered: a number, `2xx` to `5xx`, or `none` where it did not."""
    since: Moment | None = None
    until: Until | None = None

    def search(self) -> Search:
        """The domain's form."""
        return Search(Span(self.since, self.until), self.type, self.status, self.message)


class DeadQuery(PageQuery):
    """Dead letters of events of which time."""

    since: Moment | None = None
    until: Until | None = None

    def span(self) -> Span:
        """The domain's form."""
        return Span(self.since, self.until)


class RecoverIn(In):
    """What is to be sent again: `failed` is what was given up, by the time of its event; `all` goes by attempts."""

    since: Moment
    until: Until | None = None
    what: What = What.FAILED

    def span(self) -> Span:
        """The domain's form."""
        return Span(self.since, self.until)


class RecoveryOut(Out):
    """A recovery that is on its way."""

    endpoint_id: UUID
    what: What


class AttemptOut(Out):
    """What came of one call.

    Several calls are of one `attempt` where we hung up, or a call was repeated as nobody had written down its end; in
    the order of their times. Your receiver may have taken any of them: it knows them by `message_id`.
    `timing` in milliseconds since the call began, by step: dns, connect, tls, first_byte, total; without connect and
    tls where a connection was kept. The values of an endpoint's own headers are not shown; `body` is the first 20 kB of
    the answer.
    """

    message_id: UUID
    endpoint_id: UUID
    type: str
    attempt: int
    at: str
    url: str
    request_headers: dict[str, str]
    status: int | None
    error: str
    response_headers: dict[str, str]
    body: str
    timing: dict[str, float]


class AttemptPage(Out):
    """A page of attempts, newest first."""

    items: list[AttemptOut]
    next_cursor: str | None


class DeliveryOut(Out):
    """Where a message stands with one endpoint; `attempts` counts those that have ended.

    One that is `overdue` waits for an attempt that should have begun more than an hour ago: something went wrong with
    us. It comes again when that is mended, and at once by `resend`.
    """

    endpoint_id: UUID
    state: State
    attempts: int
    held_for: Wait | None
    """What it waits for, where it is held."""
    dead_for: End | None
    """Why it was given up, where it was."""
    created_at: str
    updated_at: str
    next_attempt_at: str | None
    overdue: bool


class DeadLetterOut(Out):
    """A delivery that was given up, why, and what its last attempt came to."""

    message_id: UUID
    type: str
    dead_for: End
    explanation: Annotated[str, Field(examples=["All 8 attempts failed, the last one so: The receiver answered 500."])]
    attempts: int
    created_at: str
    ended_at: str
    last_status: int | None


class DeadLetterPage(Out):
    """A page of dead letters, oldest event first."""

    items: list[DeadLetterOut]
    next_cursor: str | None


class MessageOut(Out):
    """A message: the body as every receiver gets it, its deliveries and their attempts."""

    id: UUID
    type: str
    created_at: str
    payload: dict[str, Any]
    deliveries: list[DeliveryOut]
    attempts: list[AttemptOut]
    is_whole: bool
    """Whether that is all; of a message to very many endpoints, or with long answers, ask for one endpoint."""


def attempt(item: Mapping[str, Any]) -> dict[str, Any]:
    """The answer's form of an attempt as the table holds it."""
    return {
        "message_id": item["message"],
        "endpoint_id": item["endpoint"],
        "type": item["type"],
        "attempt": item["attempt"],
        "at": item["at"],
        "url": item["url"],
        "request_headers": item.get("sent", {}),
        "response_headers": item.get("answered", {}),
        "status": item["status"],
        "error": item["error"],
        "body": item["body"],
        "timing": {step: float(Decimal(taken)) for step, taken in item["timing"].items()},
    }


def delivery(item: Mapping[str, Any]) -> dict[str, Any]:
    """The answer's form of a delivery as the table holds it."""
    return {
        "endpoint_id": item["endpoint"],
        "state": item["state"],
        "attempts": item["attempts"],
        "held_for": item.get("held_for"),
        "dead_for": item.get("dead_for") if item["state"] == State.DEAD else None,
        "created_at": item["created_at"],
        "updated_at": item["updated_at"],
        "next_attempt_at": item.get("next_attempt_at"),
        "overdue": is_overdue(item, utc_now()),
    }


def dead_letter(item: Mapping[str, Any], last: Mapping[str, Any] | None) -> dict[str, Any]:
    """The answer's form of a dead letter."""
    return {
        "message_id": item["message"],
        "type": item["type"],
        "dead_for": item["dead_for"],
        "explanation": explained(End(item["dead_for"]), int(item["attempts"]), str(last["error"]) if last else ""),
        "attempts": item["attempts"],
        "created_at": item["created_at"],
        "ended_at": item["updated_at"],
        "last_status": last["status"] if last else None,
    }


def message(item: Mapping[str, Any]) -> dict[str, Any]:
    """The answer's form of a message as the table holds it; the payload passes through as it was sent."""
    return {
        "id": item["message"],
        "type": item["type"],
        "created_at": item["created_at"],
        "payload": msgspec.Raw(item["payload"].encode()),
    }
