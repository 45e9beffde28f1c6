"""`/_control`: steers the stand-in. Bodies are JSON objects.

GET    /_control                            clock, settings, faults, what waits
POST   /_control/clock     {advance: seconds} or {to: timestamp}   runs what comes due on the way
POST   /_control/faults    {count, status | delay | drop, executed, match, code} or {down: true}
DELETE /_control/faults
POST   /_control/payments  {decline: n, code}
POST   /_control/webhooks  {duplicate: extra copies, delay: seconds, reorder: seconds held, paused}
POST   /_control/search    {lag: seconds}    how long search does not find a new customer
POST   /_control/keys/forget                Idempotency-Keys, as after their day
POST   /_control/webhooks/flush             send now what waits
GET    /_control/deliveries                 every planned delivery, newest first
GET    /_control/requests                   the last API calls, newest first
POST   /_control/events    {type, object}   emit an event by hand
POST   /_control/events/{id}/resend
POST   /_control/checkout/{id}/complete     {email, card}
POST   /_control/reset     {keep_endpoints}
"""

import re
import time
from collections.abc import Callable
from dataclasses import asdict

from local.stripe import checkout, clockwork
from local.stripe.account import Account, public
from local.stripe.delivery import Sender
from local.stripe.drills import Fault
from local.stripe.errors import StripeError, invalid
from local.stripe.store import Obj

_COMPLETE = re.compile(r"^/_control/checkout/([^/]+)/complete$")
_RESEND = re.compile(r"^/_control/events/([^/]+)/resend$")
_WEBHOOKS = ("duplicate", "delay", "reorder", "paused")


class Control:
    """Answers control requests. Flushing posts to endpoints, so it runs outside the store's transaction."""

    def __init__(self, account: Account, sender: Sender) -> None:
        self._account = account
        self._sender = sender

    def answer(self, method: str, path: str, body: Obj) -> Obj:
        """The answer to one control request."""
        if (method, path) == ("POST", "/_control/webhooks/flush"):
            return {"delivered": self._sender.flush()}
        with self._account.store.transaction():
            return self._steer(method, path, body)

    def _steer(self, method: str, path: str, body: Obj) -> Obj:
        steps: dict[tuple[str, str], Callable[[Obj], Obj]] = {
            ("GET", ""): lambda _: self._state(),
            ("POST", "/clock"): self._move,
            ("POST", "/faults"): self._break,
            ("DELETE", "/faults"): self._mend,
            ("POST", "/payments"): self._decline,
            ("POST", "/webhooks"): self._set_webhooks,
            ("POST", "/search"): self._set_search,
            ("POST", "/keys/forget"): self._forget_keys,
            ("GET", "/deliveries"): lambda _: {"deliveries": self._deliveries()},
            ("POST", "/events"): lambda wanted: public(self._account.emit(wanted["type"], wanted["object"])),
            ("POST", "/reset"): self._reset,
        }
        step = steps.get((method, path.removeprefix("/_control").rstrip("/")))
        return step(body) if step else self._by_id(method, path, body)

    def _by_id(self, method: str, path: str, body: Obj) -> Obj:
        completed, resent = _COMPLETE.match(path), _RESEND.match(path)
        if method == "POST" and completed:
            card = body.get("card", "pm_card_visa")
            return public(checkout.complete(self._account, completed[1], email=body.get("email"), card=card))
        if method == "POST" and resent:
            event = self._account.get("event", resent[1])
            for endpoint in self._account.store.all("webhook_endpoint"):
                self._account.enqueue(event["id"], endpoint["id"])
            return public(event)
        raise StripeError(f"There is no {method} {path}; the module local.stripe.control lists them.", status=404)

    def _state(self) -> Obj:
        account, drills = self._account, self._account.drills
        pending = account.store.rows("SELECT count(*) FROM deliveries WHERE state = 'pending'")[0][0]
        return {
            "now": account.now(),
            "clock_offset": account.store.setting("clock_offset", 0.0),
            "webhooks": account.store.setting("webhooks", {}),
            "pending_webhooks": pending,
            "down": drills.down,
            "faults": [asdict(fault) for fault in drills.faults],
            "declines": drills.declines,
        }

    def _move(self, body: Obj) -> Obj:
        target = float(body["to"]) if "to" in body else self._account.moment() + float(body["advance"])
        if target < self._account.moment():
            raise invalid("to", "The clock moves forward only.")
        ran = clockwork.run(self._account, target)
        self._account.store.set("clock_offset", target - time.time())
        return {**self._state(), "ran": ran}

    def _break(self, body: Obj) -> Obj:
        drills = self._account.drills
        if "down" in body:
            drills.down = bool(body["down"])
        else:
            drills.faults.append(Fault(**body))
        return self._state()

    def _mend(self, _: Obj) -> Obj:
        self._account.drills.clear()
        return self._state()

    def _decline(self, body: Obj) -> Obj:
        drills = self._account.drills
        drills.declines = int(body.get("decline", 1))
        drills.decline_code = str(body.get("code", "generic_decline"))
        return self._state()

    def _set_webhooks(self, body: Obj) -> Obj:
        unknown = set(body) - set(_WEBHOOKS)
        if unknown:
            raise invalid(min(unknown), f"Webhook settings are {', '.join(_WEBHOOKS)}.")
        store = self._account.store
        store.set("webhooks", {**store.setting("webhooks", {}), **body})
        return self._state()

    def _set_search(self, body: Obj) -> Obj:
        self._account.store.set("search", {"lag": float(body.get("lag", 0))})
        return self._state()

    def _forget_keys(self, _: Obj) -> Obj:
        self._account.store.rows("DELETE FROM answers")
        return self._state()

    def _deliveries(self) -> list[Obj]:
        names = ("seq", "event", "endpoint", "attempts", "state", "outcome", "due")
        rows = self._account.store.rows(f"SELECT {', '.join(names)} FROM deliveries ORDER BY seq DESC LIMIT 500")
        return [dict(zip(names, row, strict=True)) for row in rows]

    def _reset(self, body: Obj) -> Obj:
        store = self._account.store
        endpoints = reversed(store.all("webhook_endpoint")) if body.get("keep_endpoints", True) else ()
        store.clear()
        for endpoint in endpoints:
            self._account.save(endpoint)
        self._account.drills.clear()
        return self._state()
