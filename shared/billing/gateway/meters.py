"""Usage, as Stripe's meters are told of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import stripe

from shared.billing.errors import StripeUnavailable
from shared.billing.gateway.connection import Connection, translated

_NO_METER = "no_meter"
_SEEN = "duplicate_meter_event"


@dataclass(frozen=True, slots=True)
class Used:
    """One part of an hour's usage; `identifier` means it alone, for ever."""

    identifier: str
    meter: str
    at: int
    quantity: int


class Meters(Connection):
    """Tells Stripe what was used."""

    def push(self, customer: str, used: Sequence[Used]) -> list[dict[str, str]]:
        """What became of each: pushed (before, too), refused with the reason, or waiting, as are all after it."""
        results: list[dict[str, str]] = []
        away = ""
        for one in used:
            state, reason = ("waiting", away) if away else self._one(customer, one)
            away = reason if state == "waiting" else ""
            results.append({"identifier": one.identifier, "state": state, "reason": reason})
        return results

    def _one(self, customer: str, used: Used) -> tuple[str, str]:
        try:
            with translated():
                return self._told(self._connected(), customer, used)
        except StripeUnavailable as error:
            return "waiting", str(error)

    def _told(self, client: stripe.StripeClient, customer: str, used: Used) -> tuple[str, str]:
        if (error := self._tell(client, customer, used)) and error.code == _NO_METER:
            _make_meter(client, used.meter)
            error = self._tell(client, customer, used)
        if error is None or error.code == _SEEN:
            return "pushed", ""
        return "refused", error.user_message or "The request is not valid."

    @staticmethod
    def _tell(client: stripe.StripeClient, customer: str, used: Used) -> stripe.InvalidRequestError | None:
        asked: Any = {
            "event_name": f"rmap_{used.meter}",
            "identifier": used.identifier,
            "timestamp": used.at,
            "payload": {"stripe_customer_id": customer, "value": str(used.quantity)},
        }
        try:
            client.v1.billing.meter_events.create(asked)
        except stripe.InvalidRequestError as error:
            return error
        return None


def _make_meter(client: stripe.StripeClient, meter: str) -> None:
    name = f"rmap_{meter}"
    asked: Any = {
        "event_name": name,
        "display_name": name.replace("_", " ").title(),
        "default_aggregation": {"formula": "sum"},
    }
    try:
        client.v1.billing.meters.create(asked)
    except stripe.InvalidRequestError:
        # Somebody else made it just now: a name has one active meter.
        known = client.v1.billing.meters.list({"status": "active", "limit": 100})
        if name not in {one.event_name for one in known.auto_paging_iter()}:
            raise
