"""One Stripe account: its clock, its objects, and the events their changes make."""

import secrets
import string
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from local.stripe.drills import Drills
from local.stripe.errors import no_such
from local.stripe.store import Obj, Store

API_VERSION = "2026-10-28.endive"
_ALPHABET = string.ascii_letters + string.digits
# The owner column makes "objects of this customer or subscription" one indexed look-up.
_OWNER = {
    "subscription": "customer",
    "invoice": "subscription",
    "invoiceitem": "customer",
    "payment_method": "customer",
    "price": "product",
    "billing.meter_event": "customer",
}


def new_id(prefix: str) -> str:
    """An id in Stripe's manner: prefix and 24 letters or digits."""
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(24))


@dataclass
class Account:
    """What every endpoint works on. Not thread-safe by itself: callers hold `store.transaction()`."""

    store: Store
    base_url: str
    drills: Drills = field(default_factory=Drills)
    request_id: str | None = None
    idempotency_key: str | None = None
    _moment: float | None = field(default=None, init=False)

    def now(self) -> int:
        """The account's time: real time plus how far the clock was moved, or the moment being replayed."""
        return int(self.moment())

    def moment(self) -> float:
        """The account's time with its fraction."""
        if self._moment is not None:
            return self._moment
        offset: float = self.store.setting("clock_offset", 0.0)
        return time.time() + offset

    @contextmanager
    def at(self, moment: float) -> Iterator[None]:
        """Act as if it were `moment`, so that what the clock does bears the time it was due."""
        before, self._moment = self._moment, moment
        try:
            yield
        finally:
            self._moment = before

    def save(self, obj: Obj, *, due: float | None = None) -> Obj:
        """Store an object; `due` is when the clock has to look at it again."""
        kind = obj["object"]
        owner = owner_of(obj) if kind in _OWNER else None
        self.store.put(obj, kind=kind, owner=owner, due=due)
        return obj

    def get(self, kind: str, identifier: str, *, param: str | None = None) -> Obj:
        """The object, or Stripe's 404 (400 when the id stood in a parameter)."""
        found = self.store.find(identifier, kind)
        if found is None:
            label = kind.rpartition(".")[2]
            raise no_such(label, identifier, param=param or "id", status=400 if param else 404)
        return found

    def emit(self, kind: str, obj: Obj, previous: Obj | None = None) -> Obj:
        """Record an event and a delivery for every endpoint that listens to it."""
        endpoints = [
            endpoint
            for endpoint in self.store.all("webhook_endpoint")
            if endpoint["status"] == "enabled" and _listens(endpoint, kind)
        ]
        data: Obj = {"object": public(obj)} | ({"previous_attributes": public(previous)} if previous else {})
        event: Obj = {
            "id": new_id("evt_"),
            "object": "event",
            "api_version": API_VERSION,
            "created": self.now(),
            "data": data,
            "livemode": False,
            "pending_webhooks": len(endpoints),
            "request": {"id": self.request_id, "idempotency_key": self.idempotency_key},
            "type": kind,
        }
        self.save(event)
        for endpoint in endpoints:
            self.enqueue(event["id"], endpoint["id"])
        return event

    def enqueue(self, event_id: str, endpoint_id: str) -> None:
        """Plan the deliveries of an event to an endpoint, as often and as late as the settings say."""
        settings = self.store.setting("webhooks", {})
        moment = time.time()
        for _ in range(1 + int(settings.get("duplicate", 0))):
            self.store.rows(
                "INSERT INTO deliveries (event, endpoint, created, due) VALUES (?, ?, ?, ?)",
                event_id,
                endpoint_id,
                moment,
                moment + float(settings.get("delay", 0)),
            )


def public(obj: Obj) -> Obj:
    """The object without the stand-in's own notes, whose names begin with an underscore."""
    return {name: value for name, value in obj.items() if not name.startswith("_")}


def owner_of(obj: Obj) -> str | None:
    """The id an object is looked up by: its customer, product, or subscription."""
    if obj["object"] == "invoice":
        details = (obj.get("parent") or {}).get("subscription_details") or {}
        subscription: str | None = details.get("subscription")
        return subscription
    if obj["object"] == "billing.meter_event":
        customer: str | None = obj["customer"]
        return customer
    owner: str | None = obj.get(_OWNER[obj["object"]])
    return owner


def _listens(endpoint: Obj, kind: str) -> bool:
    return "*" in endpoint["enabled_events"] or kind in endpoint["enabled_events"]
