"""Stripe, through its own library: the one module that imports it.

Everything here may be asked twice. A customer and a subscription carry the tenant's id in their metadata and are
looked for before they are made; while two askers race, Stripe's Idempotency-Key, made from the tenant's id, lets one
of them win. A price is known by its lookup key and a product by its id, which exist once in an account.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import NoReturn, TypeVar
from uuid import UUID

import msgspec
import stripe

from shared.billing.errors import SignatureRefused, StripeRefused, StripeUnavailable
from shared.billing.model import BillingEvent, Plan, PlanPrice, Provisioned, SignUp
from shared.billing.rules import PLAN_OF, PRICES, TRIAL_DAYS
from tenant_context.context import TenantContext
from tenant_context.errors import BadRequest
from tenant_context.secrets import forget_secrets, secret

TIMEOUT_SECONDS = 5
"""A call and its one repetition for each of a batch's five messages fit the function's minute."""
TOLERANCE_SECONDS = 300
_FOLLOWED = ("customer.subscription.", "invoice.")
_KEYS_IN_TURN = 3
_TRUSTED_SECONDS = 10

Made = TypeVar("Made")


class StripeSecret(msgspec.Struct, frozen=True):
    """The secret `RMAP_STRIPE_SECRET` names."""

    api_key: str
    webhook_secret: str


def _read(secret_id: str) -> StripeSecret:
    return msgspec.json.decode(secret(secret_id), type=StripeSecret)


class StripeGateway:
    """Makes customers and subscriptions. Errors: `StripeUnavailable`, `StripeRefused`."""

    def __init__(self, secret_id: str, base_url: str = "") -> None:
        self._secret_id = secret_id
        self._base_url = base_url
        self._prices: dict[Plan, str] = {}
        self._http = stripe.RequestsClient(timeout=TIMEOUT_SECONDS)
        self._client: tuple[str, stripe.StripeClient] | None = None

    def provision(self, tenant: TenantContext, sign_up: SignUp) -> Provisioned:
        """The tenant's customer and trial subscription, made unless they are there."""
        with _translated():
            client = self._connected()
            customer = self._customer(client, tenant.tenant, sign_up)
            subscription = self._subscription(client, tenant.tenant, customer, sign_up.plan)
            return Provisioned(
                customer=customer,
                subscription=subscription.id,
                status=subscription.status,
                plan=sign_up.plan,
                as_of=datetime.fromtimestamp(subscription.created, UTC),
            )

    def close(self) -> None:
        """Drop the thread's connection; the next use opens another."""
        self._http.close()  # type: ignore[no-untyped-call]  # the library left this one out

    def _connected(self) -> stripe.StripeClient:
        api_key = _read(self._secret_id).api_key
        if self._client is None or self._client[0] != api_key:
            client = stripe.StripeClient(
                api_key,
                base_addresses={"api": self._base_url} if self._base_url else {},
                http_client=self._http,
                max_network_retries=1,
            )
            self._client = (api_key, client)
        return self._client[1]

    def _customer(self, client: stripe.StripeClient, tenant: UUID, sign_up: SignUp) -> str:
        known = client.v1.customers.list({"email": sign_up.email, "limit": 100})
        for customer in known.auto_paging_iter():
            metadata = customer.metadata
            if metadata is not None and "tenant" in metadata and metadata["tenant"] == str(tenant):
                return customer.id
        made = _made_once(
            f"rmap-{tenant}-customer",
            lambda key: client.v1.customers.create(
                {
                    "email": sign_up.email,
                    "name": sign_up.name,
                    "metadata": {"tenant": str(tenant), "slug": sign_up.slug},
                },
                {"idempotency_key": key},
            ),
        )
        return made.id

    def _subscription(
        self, client: stripe.StripeClient, tenant: UUID, customer: str, plan: Plan
    ) -> stripe.Subscription:
        known = client.v1.subscriptions.list({"customer": customer, "status": "all", "limit": 1})
        if known.data:
            return known.data[0]
        price = self._price(client, PRICES[plan])
        return _made_once(
            f"rmap-{tenant}-subscription",
            lambda key: client.v1.subscriptions.create(
                {
                    "customer": customer,
                    "items": [{"price": price}],
                    "trial_period_days": TRIAL_DAYS,
                    # Nobody has given a card yet: the trial ends in a pause and not in an unpaid invoice.
                    "trial_settings": {"end_behavior": {"missing_payment_method": "pause"}},
                    "metadata": {"tenant": str(tenant)},
                },
                {"idempotency_key": key},
            ),
        )

    def _price(self, client: stripe.StripeClient, price: PlanPrice) -> str:
        if price.plan not in self._prices:
            self._prices[price.plan] = _listed(client, price) or _priced(client, price)
        return self._prices[price.plan]


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


def _made_once(key: str, make: Callable[[str], Made]) -> Made:
    """Make something under a key. Stripe keeps a key's answer for a day, its own failures too: then the next key."""
    for turn in range(1, _KEYS_IN_TURN):
        try:
            return make(f"{key}-{turn}")
        except stripe.APIError as error:
            if (error.headers or {}).get("idempotent-replayed") != "true":
                raise
    return make(f"{key}-{_KEYS_IN_TURN}")


@contextmanager
def _translated() -> Iterator[None]:
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
        case stripe.InvalidRequestError() | stripe.CardError():
            raise StripeRefused(f"Stripe refuses: {error.user_message or 'the request is not valid'}") from error
        case _:
            raise StripeUnavailable("Stripe cannot do this just now.") from error


class _Lookup(msgspec.Struct):
    lookup_key: str | None = None


class _Item(msgspec.Struct):
    price: _Lookup = msgspec.field(default_factory=_Lookup)


class _Items(msgspec.Struct):
    data: list[_Item] = []


class _SubscriptionDetails(msgspec.Struct):
    subscription: str = ""
    metadata: dict[str, str] | None = None


class _Parent(msgspec.Struct):
    subscription_details: _SubscriptionDetails | None = None


class _Object(msgspec.Struct):
    """A subscription or an invoice, as far as it matters here."""

    id: str = ""
    object: str = ""
    customer: str | None = None
    status: str | None = None
    metadata: dict[str, str] | None = None
    items: _Items = msgspec.field(default_factory=_Items)
    parent: _Parent | None = None


class _Data(msgspec.Struct):
    object: _Object


class _Event(msgspec.Struct):
    id: str
    type: str
    created: int
    data: _Data


class _Named(msgspec.Struct):
    type: str = ""


class StripeInbox:
    """Reads what Stripe posts to us."""

    def __init__(self, secret_id: str) -> None:
        self._secret_id = secret_id
        self._read_at = time.monotonic()

    def read(self, payload: bytes, signature: str) -> BillingEvent | None:
        """The event, or None for one that says nothing of a tenant's billing.

        Errors: `SignatureRefused` for a delivery that is not Stripe's or is older than five minutes; `BadRequest` for
        one that is, and cannot be read.
        """
        self._verify(payload, signature)
        try:
            if not msgspec.json.decode(payload, type=_Named).type.startswith(_FOLLOWED):
                return None
            return _understood(msgspec.json.decode(payload, type=_Event))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadRequest("The event cannot be read.") from error

    def _verify(self, payload: bytes, signature: str) -> None:
        try:
            try:
                self._compare(payload, signature)
            except stripe.SignatureVerificationError:
                if not self._may_read_anew():
                    raise
                self._compare(payload, signature)
        except (stripe.SignatureVerificationError, UnicodeDecodeError) as error:
            raise SignatureRefused("The Stripe-Signature is missing, wrong or too old.") from error

    def _compare(self, payload: bytes, signature: str) -> None:
        known = _read(self._secret_id).webhook_secret
        stripe.WebhookSignature.verify_header(payload, signature, known, TOLERANCE_SECONDS)

    def _may_read_anew(self) -> bool:
        """Whether the secret may have been rotated: asked for at most once in a while, whoever posts here."""
        now = time.monotonic()
        if now - self._read_at < _TRUSTED_SECONDS:
            return False
        self._read_at = now
        forget_secrets()
        return True


def _understood(event: _Event) -> BillingEvent | None:
    thing = event.data.object
    details = thing.parent.subscription_details if thing.parent else None
    invoice = thing.object == "invoice"
    subscription = (details.subscription if details else "") if invoice else thing.id
    metadata = (details.metadata if invoice and details else thing.metadata) or {}
    tenant = _uuid(metadata.get("tenant", ""))
    if tenant is None or not subscription or not thing.customer:
        return None
    prices = [item.price.lookup_key for item in thing.items.data]
    return BillingEvent(
        id=event.id,
        type=event.type,
        created=datetime.fromtimestamp(event.created, UTC),
        tenant=tenant,
        customer=thing.customer,
        subscription=subscription,
        status=None if invoice else thing.status,
        plan=next((PLAN_OF[key] for key in prices if key in PLAN_OF), None),
        reason=f"The payment of invoice {thing.id} failed." if event.type == "invoice.payment_failed" else "",
    )


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
