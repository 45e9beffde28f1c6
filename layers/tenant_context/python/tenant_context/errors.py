"""What can go wrong, in words; the edge maps each word to a status once.

RmapError
 ├─ BadRequest            400   the request cannot be read
 ├─ Unauthenticated       401   nobody, or somebody unproved
 ├─ PaymentNeeded         402   more than the plan has, or a payment that failed
 ├─ Forbidden             403   somebody who may not
 ├─ NotFound              404   missing, or another tenant's: the same answer
 ├─ MethodNotAllowed      405
 ├─ Conflict              409   the state does not allow it
 ├─ PreconditionFailed    412   a stale ETag
 ├─ TooLarge              413
 ├─ UnsupportedMediaType  415
 ├─ Invalid               422   readable, but wrong: names each field
 ├─ PreconditionRequired  428   an update without If-Match
 ├─ TooManyRequests       429
 └─ Unavailable           503   a store does not answer; asking again helps
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """One bad field: a JSON pointer into the body (or `?name` for a query parameter), a code, a sentence."""

    pointer: str
    code: str
    message: str


class RmapError(Exception):
    """The root: `code` is stable for programs, the message is a sentence for people."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal-error"
    title: ClassVar[str] = "Something failed on our side"

    def __init__(self, detail: str = "", *, errors: tuple[FieldError, ...] = ()) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.errors = errors
        self.headers: dict[str, str] = {}
        self.members: dict[str, Any] = {}
        """What the problem document holds beside the usual (RFC 9457, section 3.2)."""


class BadRequest(RmapError):
    """The request cannot be read."""

    status, code, title = 400, "bad-request", "The request cannot be read"


class Unauthenticated(RmapError):
    """No credential, or one that does not prove anything."""

    status, code, title = 401, "unauthenticated", "A valid credential is needed"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail)
        self.headers["www-authenticate"] = 'Bearer realm="rmap"'


class PaymentNeeded(RmapError):
    """It costs more than what is paid for."""

    status, code, title = 402, "payment-needed", "This has to be paid for"


def _way_out(limit: str, value: int, usage: int) -> str:
    if value == 0 and usage == 0:
        return f"The organization's plan has no {limit.replace('_', ' ')}: change the plan to have some."
    counted = " (open invitations count as well)" if limit == "users" else ""
    fewer = "remove one" if value else "remove what there is"
    return f"The limit {limit} is {value}, and in use are {usage}{counted}: {fewer}, or change the plan."


class LimitReached(PaymentNeeded):
    """The tenant has as much of a thing as it may have."""

    code, title = "limit-reached", "The plan allows no more of this"

    def __init__(self, limit: str = "", value: int = 0, usage: int = 0) -> None:
        super().__init__(_way_out(limit, value, usage))
        self.members = told_limit(limit, value, usage, None)


class FeatureNotInPlan(PaymentNeeded):
    """The tenant's plan does not have the feature."""

    code, title = "feature-not-in-plan", "The plan does not have this feature"

    def __init__(self, feature: str) -> None:
        super().__init__(f"The feature {feature} is not in the organization's plan: change the plan to have it.")
        self.members = {"feature": feature}


class Forbidden(RmapError):
    """A proved caller without the permission."""

    status, code, title = 403, "forbidden", "The permission is missing"


class OwnWebhook(Forbidden):
    """What calls is a webhook of this platform, under whatever name it got here: it would make events of events."""

    code, title = "own-webhook", "A webhook of this platform called the platform"


class NotFound(RmapError):
    """Missing, or another tenant's: never told apart."""

    status, code, title = 404, "not-found", "There is no such thing here"


class NotInState(Forbidden):
    """Work for a tenant whose state does not permit it any more."""

    code, title = "organization-not-open", "The organization's state does not permit it"

    def __init__(self, state: str | None) -> None:
        super().__init__(f"The organization is {state or 'gone'}.")


class MethodNotAllowed(RmapError):
    """The address exists with other methods."""

    status, code, title = 405, "method-not-allowed", "The address does not take this method"

    def __init__(self, allowed: tuple[str, ...]) -> None:
        super().__init__(f"This address takes {', '.join(allowed)}.")
        self.headers["allow"] = ", ".join(allowed)


class Conflict(RmapError):
    """The state of the thing does not allow what was asked."""

    status, code, title = 409, "conflict", "The present state does not allow it"


class PreconditionFailed(RmapError):
    """The If-Match given is not the present ETag."""

    status, code, title = 412, "stale-etag", "It was changed since you read it"


class TooLarge(RmapError):
    """The body is over the address's limit."""

    status, code, title = 413, "too-large", "The body is over the limit"


class UnsupportedMediaType(RmapError):
    """The content type or encoding is not one the address reads."""

    status, code, title = 415, "unsupported-media-type", "The content type is not one this address reads"


class Invalid(RmapError):
    """Readable, but wrong: `errors` names each field."""

    status, code, title = 422, "invalid", "Some fields are wrong"


class PreconditionRequired(RmapError):
    """An update must say which version it changes."""

    status, code, title = 428, "if-match-required", "The update must carry If-Match"


class TooManyRequests(RmapError):
    """A limit was reached; `Retry-After` says when it opens again."""

    status, code, title = 429, "too-many-requests", "A limit was reached"

    def __init__(self, detail: str, *, retry_after: int) -> None:
        super().__init__(detail)
        self.headers["retry-after"] = str(retry_after)


class DailyLimitReached(TooManyRequests):
    """A limit of the day was reached."""

    code, title = "limit-reached", "The plan allows no more of this today"

    def __init__(
        self, limit: str, value: int, usage: int, *, resets_at: datetime, now: datetime, detail: str = ""
    ) -> None:
        wait = max(1, ceil((resets_at - now).total_seconds()))
        super().__init__(detail or f"The limit {limit} is {value} a day, and {usage} are used.", retry_after=wait)
        self.members = told_limit(limit, value, usage, resets_at)


def told_limit(limit: str, value: int, usage: int, resets_at: datetime | None) -> dict[str, Any]:
    """A limit as problem documents tell it."""
    resets = None if resets_at is None else f"{resets_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return {"limit": limit, "value": value, "usage": usage, "resets_at": resets}


class Unavailable(RmapError):
    """A store does not answer just now; nothing was changed."""

    status, code, title = 503, "unavailable", "Not available just now"

    def __init__(self, detail: str = "", *, retry_after: int = 1) -> None:
        super().__init__(detail)
        self.headers["retry-after"] = str(retry_after)
