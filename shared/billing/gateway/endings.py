"""What becomes of a subscription when its organization is given up, had back or closed for good.

Each asks for the state it wants and finds it done when it is asked again. Until the grace is over a subscription ends
with its period, even if that is the later of the two: nothing is charged before then, and what is paid for is there
when the organization is had back. One that is closed for good has its customer deleted: name, mail address and cards
go, while Stripe keeps the invoices.
"""

from typing import Any

import stripe

from shared.billing.gateway.connection import Connection, translated
from shared.billing.gateway.pages import close_pages
from shared.billing.gateway.shapes import CLOSING, ENDS_FOR, Thing
from shared.billing.gateway.subscriptions import subscriptions_of
from shared.billing.model import Ends
from shared.billing.rules import ENDED


class Endings(Connection):
    """Ends subscriptions, and takes that back. Errors: `StripeUnavailable`, `StripeRefused`."""

    def settle(self, customer: str, ends: Ends) -> None:
        """Let every subscription of a customer end at a time; what an owner cancelled stays so."""
        with translated():
            client = self._connected()
            if ends is Ends.AT_ONCE:
                close_pages(client, customer)
            for one in subscriptions_of(client, customer):
                if one.status not in ENDED:
                    _settle(client, one, ends)
            if ends is Ends.AT_ONCE:
                _forget(client, customer)


def _forget(client: stripe.StripeClient, customer: str) -> None:
    """Delete a customer; one that is gone is done."""
    try:
        client.v1.customers.delete(customer)
    except stripe.InvalidRequestError as error:
        if error.code != "resource_missing":
            raise


def _settle(client: stripe.StripeClient, present: Thing, ends: Ends) -> None:
    if ends is Ends.AT_ONCE:
        client.v1.subscriptions.cancel(present.id)
    elif ends is Ends.WITH_PERIOD and not present.cancel_at_period_end:
        asked: Any = {"cancel_at_period_end": True, "metadata": {ENDS_FOR: CLOSING}}
        client.v1.subscriptions.update(present.id, asked)
    elif ends is Ends.NEVER and present.is_closing:
        asked = {"cancel_at_period_end": False, "metadata": {ENDS_FOR: ""}}
        client.v1.subscriptions.update(present.id, asked)
