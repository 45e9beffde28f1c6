"""Codes that went by mail, as they are brought back."""

from shared.identity.errors import TicketEnded
from shared.identity.repository.tickets import TicketRepository
from shared.identity.service.throttle import Throttle
from tenant_context.clock import Clock
from tenant_context.dynamo import Item

_KIND = "mailed-code"


class MailedCodes:
    """Finds what a code is for. Each has 256 random bits: it does to slow guesses for an address, over all kinds."""

    def __init__(self, tickets: TicketRepository, throttle: Throttle, clock: Clock) -> None:
        self._tickets = tickets
        self._throttle = throttle
        self._clock = clock

    def read(self, kind: str, code: str, address: str) -> Item:
        """The content of the ticket that a code is of. Errors: TicketEnded, TooManyTries."""
        self._throttle.wait_out(_KIND, address)
        item = self._tickets.find(kind, code, self._clock().timestamp())
        if item is None:
            self._throttle.missed(_KIND, address)
            raise TicketEnded
        return item
