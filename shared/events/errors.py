"""What the catalogue has not."""

from tenant_context.errors import NotFound


class EventTypeNotFound(NotFound):
    """No such type of event."""

    code, title = "event-type-not-found", "There is no such type of event"
