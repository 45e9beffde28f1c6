"""What webhooks refuse, and what a delivery may meet."""

from tenant_context.errors import Conflict, FieldError, Invalid, NotFound


class EndpointNotFound(NotFound):
    """No such endpoint in this tenant."""

    code, title = "webhook-endpoint-not-found", "There is no such webhook endpoint"


class MessageNotFound(NotFound):
    """No such message in this tenant: never sent to anyone, or past its retention."""

    code, title = "webhook-message-not-found", "There is no such message"


class EndpointDisabled(Conflict):
    """A disabled endpoint is sent nothing, tests included."""

    code, title = "webhook-endpoint-disabled", "The endpoint is disabled"


class UnknownEventTypes(Invalid):
    """Some filters match no event of the catalogue."""

    code, title = "unknown-event-types", "Some event types do not exist"

    def __init__(self, positions: list[int]) -> None:
        super().__init__(
            "GET /api/v1/events/types lists them; `campaign.*` and `*` are understood.",
            errors=tuple(
                FieldError(f"/event_types/{position}", "unknown-event-type", "is no event type and matches none")
                for position in positions
            ),
        )


class DeliveryBusy(Exception):
    """Another copy of the message is being worked on; this one goes back to the queue until that has ended."""
