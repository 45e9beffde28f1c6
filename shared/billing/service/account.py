"""Billing as owners see and change it: Stripe is asked by the function that reaches it, and its answer is kept here."""

import base64
import binascii
import hashlib
from typing import Any, Protocol
from uuid import UUID

import msgspec

from shared.billing.errors import (
    BillingClosing,
    BillingHeld,
    BillingPending,
    BillingRefused,
    InvoiceUnpaid,
    NoSubscription,
    PaymentRefused,
)
from shared.billing.model import BillingEvent, BillingState
from shared.billing.repository import BillingRepository
from shared.billing.rules import LIVE
from shared.billing.service.following import Billing
from tenant_context.context import TenantContext
from tenant_context.errors import BadRequest, FieldError, Invalid
from tenant_context.events import Event
from tenant_context.idempotency import Attempt
from tenant_context.postgres import Database
from tenant_context.states import State, refusal

REFUSALS = {refusal.code: refusal for refusal in (BillingRefused, InvoiceUnpaid, NoSubscription, PaymentRefused)}
"""What Stripe's side refuses, by the code it is told under."""
_BUYS = frozenset({"change", "resume", "preview"})
_LONGEST_KEY = 255
_ANEW = 3
"""How often Stripe is read again where something was kept meanwhile; after that the events have the word."""


class Stripe(Protocol):
    """The function that reaches Stripe."""

    def call(self, operation: str, data: dict[str, Any], *, tenant: UUID, request_id: str) -> Any:
        """Its answer. Errors: the REFUSALS; Unavailable."""


class BillingAccount:
    """One tenant's dealings with Stripe.

    Errors: BillingPending, the REFUSALS, Unavailable; where a plan is bought: BillingClosing, BillingHeld,
    OrganizationSuspended.
    """

    def __init__(self, database: Database, repository: BillingRepository, billing: Billing, stripe: Stripe) -> None:
        self._database = database
        self._repository = repository
        self._billing = billing
        self._stripe = stripe

    def show(self, tenant: TenantContext) -> BillingState:
        """What is known of the subscription."""
        return self._repository.read(self._database, tenant)

    def ask(self, tenant: TenantContext, operation: str, key: str | None = None, **data: Any) -> Any:
        """Ask Stripe for something that leaves the subscription as it is."""
        return self._asked(tenant, self._known(tenant), operation, key, data)

    def _known(self, tenant: TenantContext) -> BillingState:
        state = self.show(tenant)
        if state.customer is None or state.subscription is None:  # a trial is on its way: nothing begins beside it
            raise BillingPending(state.reason or "It is being set up; try again in a moment.")
        return state

    def _asked(
        self, tenant: TenantContext, state: BillingState, operation: str, key: str | None, data: dict[str, Any]
    ) -> Any:
        _check_may_buy(state, operation)
        asked = {**data, "customer": state.customer, "key": _digest(tenant, operation, key)}
        return self._stripe.call(operation, asked, tenant=tenant.tenant, request_id=tenant.request_id)

    def change(self, tenant: TenantContext, operation: str, key: str | None, **data: Any) -> BillingState:
        """Ask Stripe to change the subscription, and keep what is so afterwards; emits tenant.billing_requested.

        A key whose change was made before changes nothing more, whatever came since. Errors: Invalid, where it was used
        for another change.
        """
        attempt = _attempt(operation, key, data)
        if attempt and attempt.reserve(self._database, tenant):
            return self.show(tenant)
        before = self._known(tenant)
        answer = self._told(tenant, before, operation, key, data)
        told = {"id": str(tenant.tenant), "action": operation, "plan": data.get("plan")}
        with self._database.transaction(tenant) as tx:
            tx.emit(Event("tenant.billing_requested", f"tenant/{tenant.tenant}", told))
            if attempt:
                attempt.finish(tx)
            kept = self._billing.observed(tx, answer, since=before.version)
        for _ in range(0 if kept else _ANEW):
            before = self._known(tenant)
            answer = self._told(tenant, before, "subscription", None, {})
            with self._database.transaction(tenant) as tx:
                if self._billing.observed(tx, answer, since=before.version):
                    break
        return self.show(tenant)

    def _told(
        self, tenant: TenantContext, state: BillingState, operation: str, key: str | None, data: dict[str, Any]
    ) -> BillingEvent:
        return msgspec.convert(self._asked(tenant, state, operation, key, data), BillingEvent)

    def invoices(self, tenant: TenantContext, *, limit: int, cursor: str | None) -> dict[str, Any]:
        """A page of invoices, newest first; none before Stripe knows the tenant."""
        after = _invoice(cursor)
        if self.show(tenant).subscription is None:
            return {"items": [], "next_cursor": None}
        page = self.ask(tenant, "invoices", limit=limit, after=after)
        following = None
        if page["more"]:
            following = base64.urlsafe_b64encode(page["items"][-1]["id"].encode()).decode().rstrip("=")
        return {"items": page["items"], "next_cursor": following}


def _check_may_buy(state: BillingState, operation: str) -> None:
    """Raise for what buys something that could not be used. Debts are paid in every state, and cancelling is free."""
    begins = operation == "checkout" and state.subscription_status not in LIVE
    if operation not in _BUYS and not begins:
        return
    if state.status in {State.CLOSING, State.CLOSED}:
        raise BillingClosing(
            "The organization is being closed: have it back first, at POST …/organizations/{id}/reopen. "
            "What is owed can be paid, by the portal or a card."
        )
    if state.held is not None:
        raise BillingHeld("The platform holds the organization: no plan lifts that. Ask the platform's support.")
    if state.status is State.SUSPENDED and not begins:
        raise refusal(State.SUSPENDED_UNPAID)


def _invoice(cursor: str | None) -> str:
    """The invoice a cursor continues after; Stripe knows only those of the tenant's own customer by it."""
    if cursor is None:
        return ""
    try:
        found = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except (ValueError, binascii.Error) as error:
        raise Invalid(errors=(FieldError("?cursor", "cursor", "is not one this API gave"),)) from error
    if not found.startswith("in_") or not found.replace("_", "").isalnum():
        raise Invalid(errors=(FieldError("?cursor", "cursor", "is not one this API gave"),))
    return found


def _attempt(operation: str, key: str | None, data: dict[str, Any]) -> Attempt | None:
    """The request, where it may be repeated: Stripe is asked for several things, and sees only each of them."""
    if key is None:
        return None
    return Attempt.of(key, "POST", f"/api/v1/billing/{operation}", msgspec.json.encode(data, order="sorted"), "")


def _digest(tenant: TenantContext, operation: str, key: str | None) -> str:
    """What makes a repeated request the same one for Stripe: its Idempotency-Key, else the request itself."""
    if key is not None and (not 1 <= len(key) <= _LONGEST_KEY or not key.isprintable()):
        raise BadRequest(f"Idempotency-Key has 1 to {_LONGEST_KEY} printable characters.")
    named = f"{operation}\n{tenant.actor}\n{key}" if key else f"{operation}\n{tenant.request_id}"
    return hashlib.sha256(named.encode()).hexdigest()[:32]
