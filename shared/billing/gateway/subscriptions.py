"""What owners do with their subscription at Stripe.

A change is asked for by the state it wants, so asking again finds it done and costs nothing; Stripe's Idempotency-Key,
made from the request's own, covers what is under way. What Stripe answers to a key may be of yesterday: what is told of
the subscription is always read after the change. A plan goes up at once, for the rest of the period's price. It
goes down at the period's end: the lower price is set at once without proration, so that the next invoice is right by
itself, and `keeps_plan` and `keeps_until` in the metadata say what is paid for until then.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import stripe

from shared.billing.errors import NothingToChange, StripeRefused
from shared.billing.gateway.connection import Connection, translated
from shared.billing.gateway.shapes import ENDS_FOR, GOES_DOWN_TO, Thing, money, thing, told_of_subscription
from shared.billing.model import BillingEvent, Plan
from shared.billing.rules import LIVE, REREAD, is_upgrade
from tenant_context.clock import Clock

_CLEARED = {"keeps_plan": "", "keeps_until": "", GOES_DOWN_TO: ""}


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose subscription is meant, and the key under which the request may be repeated."""

    tenant: UUID
    customer: str
    key: str

    def once(self, step: str) -> Any:
        """Stripe's options for one step of the request."""
        return {"idempotency_key": f"rmap-{self.tenant}-{self.key}-{step}"}


class Subscriptions(Connection):
    """Reads and changes subscriptions. Errors: `StripeUnavailable`, `StripeRefused` and its kinds."""

    def __init__(self, secret_id: str, base_url: str = "", *, clock: Clock) -> None:
        super().__init__(secret_id, base_url)
        self._clock = clock

    def reread(self, tenant: UUID, customer: str, event: str, created: datetime) -> BillingEvent | None:
        """The subscription as it is, as the last word of a second; None where there never was one."""
        with translated():
            found = subscriptions_of(self._connected(), customer)
            if not found:
                return None
            name = f"reread/{event}/{int(created.timestamp())}"
            return told_of_subscription(_foremost(found), name, REREAD, created, tenant)

    def change(self, owner: Owner, plan: Plan) -> BillingEvent:
        """Another plan: a higher one now, a lower one when the period ends; the present one again undoes that."""
        with translated():
            client = self._connected()
            present = self._live(client, owner.customer)
            entitled = self._entitled(present)
            waits = present.kept_plan(self._clock()) is not None
            if plan is entitled:
                if waits or present.goes_down_to(self._clock()):
                    present = self._set(client, owner, present, plan, "undo", metadata=_CLEARED)
            elif present.status in {"trialing", "paused"} or entitled is None:
                present = self._set(client, owner, present, plan, "swap", metadata=_CLEARED)
            elif is_upgrade(entitled, plan):
                if waits:
                    present = self._restore(client, owner, present, entitled)
                self._raise(client, owner, present, plan)
            elif plan is not present.price_plan:
                present = self._set(client, owner, present, plan, "downgrade", metadata=_kept(entitled, present))
            return self._read(client, owner, present)

    def preview(self, owner: Owner, plan: Plan) -> dict[str, Any]:
        """What a change would cost now and then, and when it would take effect. Changes nothing."""
        with translated():
            client = self._connected()
            present = self._live(client, owner.customer)
            entitled = self._entitled(present)
            now = present.status in {"trialing", "paused"} or entitled is None or is_upgrade(entitled, plan)
            charged = now and present.status not in {"trialing", "paused"}
            asked: Any = {
                "subscription": present.id,
                "subscription_details": {
                    "items": [{"id": present.items.data[0].id, "price": self._price_of(client, plan)}],
                    "proration_behavior": "always_invoice" if charged else "none",
                },
            }
            invoice = client.v1.invoices.create_preview(asked).to_dict()
            ends = present.period_end
            return {
                "plan": plan,
                "effective": "now" if now else "period_end",
                "effective_at": _rfc3339(self._clock() if now or ends is None else ends),
                "currency": invoice["currency"].upper(),
                "due_now": money(invoice["amount_due"]) if charged else "0.00",
                "lines": [
                    {"description": line["description"], "amount": money(line["amount"])}
                    for line in invoice["lines"]["data"]
                ],
            }

    def cancel(self, owner: Owner) -> BillingEvent:
        """End the subscription with its period."""
        return self._ends(owner, ends=True)

    def resume(self, owner: Owner) -> BillingEvent:
        """Go on after all; a subscription that was paused when its trial ended begins to be paid."""
        with translated():
            client = self._connected()
            present = self._live(client, owner.customer)
            if present.status == "paused":
                asked: Any = {"billing_cycle_anchor": "now"}
                client.v1.subscriptions.resume(present.id, asked, owner.once("resume"))
                return self._read(client, owner, present)
        return self._ends(owner, ends=False)

    def _ends(self, owner: Owner, *, ends: bool) -> BillingEvent:
        with translated():
            client = self._connected()
            present = self._live(client, owner.customer)
            if present.cancel_at_period_end is not ends or present.is_closing:
                asked: Any = {"cancel_at_period_end": ends, "metadata": {ENDS_FOR: ""}}
                client.v1.subscriptions.update(present.id, asked, owner.once(f"ends-{ends}".lower()))
            return self._read(client, owner, present)

    def present(self, owner: Owner) -> BillingEvent:
        """The subscription as it is now: the living one, else the last."""
        with translated():
            client = self._connected()
            at = self._clock()
            if not (found := subscriptions_of(client, owner.customer)):
                raise NothingToChange("There is no subscription.")
            return told_of_subscription(_foremost(found), "", REREAD, at, owner.tenant)

    def invoices(self, owner: Owner, limit: int, after: str) -> dict[str, Any]:
        """A page of invoices, newest first, and whether more follow."""
        with translated():
            asked: Any = {"customer": owner.customer, "limit": limit, **({"starting_after": after} if after else {})}
            found = self._connected().v1.invoices.list(asked)
            return {"items": [_invoice(one.to_dict()) for one in found.data], "more": bool(found.has_more)}

    def _set(
        self, client: stripe.StripeClient, owner: Owner, present: Thing, plan: Plan, step: str, **more: Any
    ) -> Thing:
        items = [{"id": present.items.data[0].id, "price": self._price_of(client, plan)}]
        asked: Any = {"items": items, "proration_behavior": "none", **more}
        return thing(client.v1.subscriptions.update(present.id, asked, owner.once(f"{step}-{plan}")))

    def _restore(self, client: stripe.StripeClient, owner: Owner, present: Thing, entitled: Plan) -> Thing:
        """The price of what was paid for, before a downgrade's: that is credited, and not what would have come."""
        lower = present.price_plan
        marked = {"keeps_plan": "", GOES_DOWN_TO: lower.value if lower else ""}
        for turn in ("restore", f"restore-{uuid4().hex}"):
            self._set(client, owner, present, entitled, turn, metadata=marked)
            present = thing(client.v1.subscriptions.retrieve(present.id))
            if present.kept_plan(self._clock()) is None:
                break  # else the key had been used, and the downgrade put back since
        return present

    def _raise(self, client: stripe.StripeClient, owner: Owner, present: Thing, plan: Plan) -> None:
        """A higher plan, now; where that is refused a downgrade that waited waits again."""
        if present.price_plan is plan:
            return
        try:
            self._set(client, owner, present, plan, "upgrade", **_AT_ONCE, metadata=_CLEARED)
        except (stripe.CardError, stripe.InvalidRequestError):
            lower = present.goes_down_to(self._clock())
            if lower is not None and present.price_plan is not None:
                kept = _kept(present.price_plan, present)
                self._set(client, owner, present, lower, f"wait-{uuid4().hex}", metadata=kept)
            raise

    def _entitled(self, present: Thing) -> Plan | None:
        return present.kept_plan(self._clock()) or present.price_plan

    def _live(self, client: stripe.StripeClient, customer: str) -> Thing:
        for one in subscriptions_of(client, customer):
            if one.status in LIVE:
                return one
        raise NothingToChange("There is no subscription, or it has ended; check out to begin another one.")

    def _read(self, client: stripe.StripeClient, owner: Owner, present: Thing) -> BillingEvent:
        """The subscription as it is now, whatever was answered to the change."""
        at = self._clock()
        found = thing(client.v1.subscriptions.retrieve(present.id))
        if not found.id:
            raise StripeRefused("The answer names no subscription.")
        return told_of_subscription(found, "", REREAD, at, owner.tenant)


def _foremost(found: list[Thing]) -> Thing:
    return next((one for one in found if one.status in LIVE), found[0])


def subscriptions_of(client: stripe.StripeClient, customer: str) -> list[Thing]:
    """A customer's subscriptions, newest first."""
    return [thing(one) for one in client.v1.subscriptions.list({"customer": customer, "status": "all", "limit": 20})]


def _kept(plan: Plan, present: Thing) -> dict[str, str]:
    return {"keeps_plan": plan.value, "keeps_until": str(_seconds(present.period_end)), GOES_DOWN_TO: ""}


_AT_ONCE: dict[str, Any] = {"proration_behavior": "always_invoice", "payment_behavior": "error_if_incomplete"}
"""The rest of the period is paid now; where that fails nothing has changed."""


def _invoice(found: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": found["id"],
        "number": found.get("number"),
        "status": found.get("status"),
        "currency": found["currency"].upper(),
        "total": money(found["total"]),
        "amount_due": money(found["amount_due"]),
        "amount_paid": money(found["amount_paid"]),
        "created_at": _rfc3339(datetime.fromtimestamp(found["created"], UTC)),
        "url": found.get("hosted_invoice_url"),
        "pdf": found.get("invoice_pdf"),
    }


def _seconds(at: datetime | None) -> int:
    return 0 if at is None else int(at.timestamp())


def _rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
