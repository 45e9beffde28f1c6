"""The timed share of usage: alerts to the tenant, and what Stripe is told.

A push is first written down with its quantity and its number, and committed; then it is sent under an identifier made
of these. So a push that is sent again is the same push, which Stripe drops; usage that comes late to an hour becomes
another part of it.
"""

from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from shared.plans.repository import HeldRepository
from shared.plans.rules import amounts as amounts_of
from shared.plans.service import Doors
from shared.usage.model import Push
from shared.usage.repository import UsageRepository
from shared.usage.rules import GRACE, crossed, identifier, included, month_of
from shared.usage.service.ledger import Ledger
from tenant_context.context import TenantContext
from tenant_context.errors import Unavailable
from tenant_context.events import Event
from tenant_context.postgres import Database, Transaction
from tenant_context.states import Need, permits, permitting

_AT_ONCE = 20
"""Pushes a call: as many as fit the seconds that Stripe's side has."""
_MOST = 500
"""Pushes a run; what is left is the next one's."""
_KEPT = timedelta(days=70)
"""How long events are known again: twice as long as any may be late."""


_TOLD_BEFORE = 15
"""Minutes of an hour: one run of each hour, as the job comes every fifteen minutes."""


class Stripe(Protocol):
    """The function that reaches Stripe."""

    def call(self, operation: str, data: dict[str, Any], *, tenant: UUID, request_id: str) -> Any:
        """Its answer. Errors: Unavailable."""


class UsageShare:
    """One tenant's share of the job `usage`. It may be run at any time, and again."""

    def __init__(self, database: Database, repository: UsageRepository, stripe: Stripe, doors: Doors) -> None:
        self._doors = doors
        self._plans = HeldRepository()
        self._database = database
        self._repository = repository
        self._ledger = Ledger(repository)
        self._stripe = stripe

    def __call__(self, tx: Transaction) -> dict[str, Any]:
        """Measure storage once a day, alert, plan pushes; they are sent once this has committed.

        Each hour, doors are told what they did not hear: that there is no room any more, or again, and grants' ends.
        """
        if not permits(self._repository.state(tx), Need.TIMED):
            return {"alerts": 0, **self.settle(tx)}
        self._measure_storage(tx)
        if tx.now.minute < _TOLD_BEFORE:
            self._doors.mend(tx)
        alerts = self._alert(tx)
        # The hour that ended last, once its grace is over too.
        closed = (tx.now - GRACE).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
        return {"alerts": alerts, "planned": self._plan(tx, closed)}

    def settle(self, tx: Transaction) -> dict[str, Any]:
        """Plan pushes of all that is open, the present hour too: of a tenant that is suspended, or about to be closed.

        What was counted before and comes late is another part of its hour, told by the next run.
        """
        return {"planned": self._plan(tx, tx.now)}

    def _plan(self, tx: Transaction, until: datetime) -> int:
        planned = self._repository.plan(tx, until)
        # Money is settled in every state: by then, the tenant may be closed.
        tenant = replace(tx.tenant, states=permitting(Need.SETTLE))
        tx.after_commit(lambda: self.push(tenant))
        return planned

    def push(self, tenant: TenantContext) -> int:
        """Tell Stripe of what waits; answers how many it took. While Stripe is away, they wait for the next run."""
        customer = self._repository.customer(self._database, tenant)
        taken = 0
        while customer is not None and taken < _MOST:
            waiting = self._repository.waiting(self._database, tenant, _AT_ONCE)
            if not waiting:
                break
            done = self._send(tenant, customer, waiting)
            taken += done
            if done < len(waiting):
                break
        return taken

    def _send(self, tenant: TenantContext, customer: str, waiting: list[Push]) -> int:
        named = {identifier(tenant.tenant, push): push for push in waiting}
        used = [
            {"identifier": name, "meter": push.meter, "at": int(push.hour.timestamp()), "quantity": push.quantity}
            for name, push in named.items()
        ]
        try:
            data = {"customer": customer, "used": used}
            answers = self._stripe.call("meter", data, tenant=tenant.tenant, request_id=tenant.request_id)
        except Unavailable:
            return 0
        ended = [answer for answer in answers if answer["state"] != "waiting"]
        with self._database.transaction(tenant) as tx:
            for answer in ended:
                self._repository.mark(tx, named[answer["identifier"]], answer["state"], answer["reason"])
                if answer["state"] == "refused":
                    self._tell_refused(tx, named[answer["identifier"]], answer["reason"])
        return len(ended)

    @staticmethod
    def _tell_refused(tx: Transaction, push: Push, reason: str) -> None:
        data = {**asdict(push), "hour": push.hour.isoformat(), "id": str(tx.tenant.tenant), "reason": reason}
        tx.emit(Event("usage.push_refused", f"tenant/{tx.tenant.tenant}", data))

    def _alert(self, tx: Transaction) -> int:
        amounts, given = amounts_of(self._plans.held(tx), tx.now), 0
        # Yesterday's month too: what came in its last minutes is alerted as well.
        for meter, month, quantity in self._repository.months(tx, month_of(tx.now - timedelta(days=1))):
            allowed = included(amounts, meter)
            for threshold in crossed(quantity, allowed):
                if self._repository.alert(tx, meter, month, threshold):
                    given += 1
                    data = {"meter": meter, "month": f"{month:%Y-%m}", "threshold": threshold, "quantity": quantity}
                    told = {"id": str(tx.tenant.tenant), **data, "included": allowed}
                    tx.emit(Event("usage.threshold_reached", f"tenant/{tx.tenant.tenant}", told))
        return given

    def _measure_storage(self, tx: Transaction) -> None:
        if self._repository.is_recorded(tx, "storage", f"{tx.now:%Y-%m-%d}"):
            return
        self._ledger.stored(tx, self._plans.size(tx), tx.now)
        self._repository.forget(tx, tx.now - _KEPT)
