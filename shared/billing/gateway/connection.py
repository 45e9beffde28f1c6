"""The connection to Stripe, by its own library, and what its errors mean to us."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn, TypeVar

import msgspec
import stripe

from shared.billing.errors import CardRefused, StripeRefused, StripeUnavailable
from shared.billing.model import Plan, PlanPrice
from shared.billing.rules import PRICES
from tenant_context.secrets import forget_secrets, secret

TIMEOUT_SECONDS = 5
"""A call and its one repetition for each of a batch's five messages fit the function's minute."""
_KEYS_IN_TURN = 3

Made = TypeVar("Made")


class StripeSecret(msgspec.Struct, frozen=True):
    """The secret `RMAP_STRIPE_SECRET` names."""

    api_key: str
    webhook_secret: str


def read_secret(secret_id: str) -> StripeSecret:
    """The secret, as the kernel keeps it."""
    return msgspec.json.decode(secret(secret_id), type=StripeSecret)


class Connection:
    """One thread's way to Stripe, and the ids of our prices there."""

    def __init__(self, secret_id: str, base_url: str = "") -> None:
        self._secret_id = secret_id
        self._base_url = base_url
        self._prices: dict[Plan, str] = {}
        self._http = stripe.RequestsClient(timeout=TIMEOUT_SECONDS)
        self._client: tuple[str, stripe.StripeClient] | None = None

    def close(self) -> None:
        """Drop the thread's connection; the next use opens another."""
        self._http.close()  # type: ignore[no-untyped-call]  # the library left this one out

    def _connected(self) -> stripe.StripeClient:
        api_key = read_secret(self._secret_id).api_key
        if self._client is None or self._client[0] != api_key:
            client = stripe.StripeClient(
                api_key,
                base_addresses={"api": self._base_url} if self._base_url else {},
                http_client=self._http,
                max_network_retries=1,
            )
            self._client = (api_key, client)
        return self._client[1]

    def _price(self, client: stripe.StripeClient, price: PlanPrice) -> str:
        if price.plan not in self._prices:
            self._prices[price.plan] = _listed(client, price) or _priced(client, price)
        return self._prices[price.plan]

    def _price_of(self, client: stripe.StripeClient, plan: Plan) -> str:
        return self._price(client, PRICES[plan])


def _listed(client: stripe.StripeClient, price: PlanPrice) -> str | None:
    found = client.v1.prices.list({"lookup_keys": [price.lookup_key], "active": True})
    return found.data[0].id if found.data else None


def _priced(client: stripe.StripeClient, price: PlanPrice) -> str:
    try:
        client.v1.products.create({"id": price.product, "name": price.name})
    except stripe.InvalidRequestError as error:
        if error.code != "resource_already_exists":
            raise
    try:
        made = client.v1.prices.create(
            {
                "product": price.product,
                "currency": price.currency,
                "unit_amount": price.unit_amount,
                "recurring": {"interval": "month"},
                "lookup_key": price.lookup_key,
            }
        )
    except stripe.InvalidRequestError:
        # Somebody else made it just now: a lookup key names one price.
        found = _listed(client, price)
        if found is None:
            raise
        return found
    return made.id


def made_once(key: str, make: Callable[[str], Made]) -> Made:
    """Make something under a key. Stripe keeps a key's answer for a day, its own failures too: then the next key."""
    for turn in range(1, _KEYS_IN_TURN):
        try:
            return make(f"{key}-{turn}")
        except stripe.APIError as error:
            if (error.headers or {}).get("idempotent-replayed") != "true":
                raise
    return make(f"{key}-{_KEYS_IN_TURN}")


_CARDS = {
    "expired_card": "The card has expired; give another one.",
    "insufficient_funds": "The card's account does not hold enough for this payment.",
    "incorrect_cvc": "The card's security code is wrong.",
    "authentication_required": "The card's bank wants this payment confirmed: pay the invoice on its own page.",
}


_BAD_REQUEST = 400


def _card_sentence(error: stripe.CardError) -> str:
    """Why a card was refused, as far as its owner can do something about it."""
    body = error.json_body.get("error", {}) if isinstance(error.json_body, dict) else {}
    known = (_CARDS.get(str(code)) for code in (body.get("decline_code"), error.code))
    return next((sentence for sentence in known if sentence), "The card was declined; give another one.")


@contextmanager
def translated() -> Iterator[None]:
    """Stripe's errors in billing's words."""
    try:
        yield
    except stripe.StripeError as error:
        _say(error)


def _say(error: stripe.StripeError) -> NoReturn:
    match error:
        case stripe.APIConnectionError():
            raise StripeUnavailable("Stripe does not answer.") from error
        case stripe.AuthenticationError() | stripe.PermissionError():
            forget_secrets()  # the key may have been rotated since it was read
            raise StripeUnavailable("Stripe does not accept the platform's key.") from error
        case stripe.CardError():
            raise CardRefused(_card_sentence(error)) from error
        case stripe.IdempotencyError() if error.http_status == _BAD_REQUEST:
            raise StripeRefused("This Idempotency-Key was used for another request: use a fresh one.") from error
        case stripe.InvalidRequestError() if "payment source" in str(error):
            raise CardRefused("There is no card to charge: add one first, by POST /api/v1/billing/checkout.") from error
        case stripe.InvalidRequestError():
            # Its own words name objects by their ids; they are in the log with this error's cause.
            raise StripeRefused("Stripe does not accept this request. Ask the platform's support about it.") from error
        case _:
            raise StripeUnavailable("Stripe cannot do this just now.") from error
