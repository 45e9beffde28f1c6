"""Partition keys of what is sent, within a tenant's share of the table; `deliveries` says what stands there."""

from shared.webhooks.model import EndpointId, MessageId


def of_message(message: MessageId | str) -> str:
    """A message, its deliveries and their attempts."""
    return f"message#{message}"


def of_delivery(endpoint: EndpointId | str) -> str:
    """The sort key of a message's delivery."""
    return f"delivery#{endpoint}"


def of_attempt(endpoint: EndpointId | str, number: int, claim: str = "") -> str:
    """The sort key of a call: of which attempt at it, and by whose claim.

    Of one attempt there may be several, as one that was hung up or not seen to its end is made again. Without a claim
    are those of before 22 November 2026.
    """
    return f"attempt#{endpoint}#{number:03}#{claim}" if claim else f"attempt#{endpoint}#{number:03}"


def held(endpoint: EndpointId) -> str:
    """An endpoint's backlog, in the index."""
    return f"held#{endpoint}"


def dead(endpoint: EndpointId) -> str:
    """Its dead letters, in the index."""
    return f"dead#{endpoint}"


def attempts(endpoint: EndpointId | str) -> str:
    """Its attempts by time, in the index."""
    return f"attempts#{endpoint}"
