"""What webhooks refuse, and what a delivery may meet."""

from collections.abc import Sequence

from tenant_context.errors import Conflict, FieldError, Invalid, NotFound


class EndpointNotFound(NotFound):
    """No such endpoint in this tenant."""

    code, title = "webhook-endpoint-not-found", "There is no such webhook endpoint"


class KeyNotFound(NotFound):
    """The endpoint has no such signing key, or it has ended."""

    code, title = "webhook-key-not-found", "There is no such signing key"


class MessageNotFound(NotFound):
    """No such message in this tenant: never sent to anyone, or past its retention."""

    code, title = "webhook-message-not-found", "There is no such message"


class DeliveryNotFound(NotFound):
    """The message was not for that endpoint, or is kept no more."""

    code, title = "webhook-delivery-not-found", "There is no such delivery"


class DeliveryEnded(Conflict):
    """It is not waiting for anything."""

    code, title = "webhook-delivery-ended", "The delivery does not wait"


class DeliveryWaits(Conflict):
    """It is to be made anyway."""

    code, title = "webhook-delivery-waits", "The delivery is on its way already"


class EndpointDisabled(Conflict):
    """A disabled endpoint is sent nothing, tests included."""

    code, title = "webhook-endpoint-disabled", "The endpoint is disabled"


class LastKey(Conflict):
    """It is the last key that signs without an end: what is sent has to be signed."""

    code, title = "last-webhook-key", "Nothing would sign any more"


class TooManyKeys(Conflict):
    """As many keys sign as an endpoint may have."""

    code, title = "too-many-webhook-keys", "The endpoint has as many keys as it may have"


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


class EndpointRefused(Invalid):
    """Particulars of an endpoint that are out of bounds, each one named."""

    code, title = "webhook-endpoint-refused", "Some particulars of the endpoint are out of bounds"

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__(errors=tuple(errors))


class DeliveryBusy(Exception):
    """Another copy of the message is being worked on; this one goes back to the queue until that has ended."""
