"""The background sender: signs events and posts them until the endpoint answers 2xx."""

import hashlib
import hmac
import http.client
import json
import threading
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from local.stripe.account import public
from local.stripe.store import Obj, Store

# Stripe retries for three days; a stand-in on a desk keeps trying for about ten minutes.
BACKOFF = (1, 1, 2, 4, 8, 15, 30, 60, 120, 180, 180)
TIMEOUT = 10.0
POLL = 0.05
_OK = range(200, 300)


@dataclass(frozen=True)
class Delivery:
    """One planned delivery of one event to one endpoint."""

    seq: int
    event: str
    endpoint: str
    attempts: int


def sign(payload: str, secret: str, timestamp: int) -> str:
    """The Stripe-Signature header: HMAC-SHA256 over `timestamp.payload`, keyed with the whole secret."""
    digest = hmac.new(secret.encode(), f"{timestamp}.{payload}".encode(), hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={digest}"


class Sender:
    """Delivers what is due, one at a time and in order unless the settings reorder."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._sending = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)

    def start(self) -> None:
        """Begin to deliver in the background."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the delivery in hand."""
        self._stop.set()
        self._thread.join(TIMEOUT + 1)

    def _run(self) -> None:
        while not self._stop.wait(POLL):
            settings = self._store.setting("webhooks", {})
            if not settings.get("paused"):
                self._round(self._due(float(settings.get("reorder", 0))))

    def _due(self, window: float) -> list[Delivery]:
        """What is due; with a reorder window, everything held for that long, newest first."""
        moment = time.time()
        found = self._pending("AND due <= ?", moment)
        if not window or not found:
            return found
        oldest = self._store.rows("SELECT min(created) FROM deliveries WHERE state = 'pending'")[0][0]
        return list(reversed(found)) if oldest is not None and oldest + window <= moment else []

    def _pending(self, condition: str = "", *values: object) -> list[Delivery]:
        query = (
            "SELECT seq, event, endpoint, attempts FROM deliveries "
            f"WHERE state = 'pending' {condition} ORDER BY due, seq"
        )
        return [Delivery(*row) for row in self._store.rows(query, *values)]

    def flush(self) -> list[Obj]:
        """Send everything that waits now, whatever its time; newest first if a reorder window is set."""
        waiting = self._pending()
        if self._store.setting("webhooks", {}).get("reorder"):
            waiting.reverse()
        return self._round(waiting)

    def _round(self, waiting: list[Delivery]) -> list[Obj]:
        results = []
        with self._sending:
            for delivery in waiting:
                if self._stop.is_set():
                    break
                results.append(self._deliver(delivery))
        return results

    def _deliver(self, delivery: Delivery) -> Obj:
        event = self._store.find(delivery.event, "event")
        endpoint = self._store.find(delivery.endpoint, "webhook_endpoint")
        state = self._store.rows("SELECT state FROM deliveries WHERE seq = ?", delivery.seq)
        if event is None or endpoint is None or endpoint["status"] != "enabled" or state != [("pending",)]:
            self._note(delivery, "dropped", "endpoint or event is gone", delivery.attempts)
            return {"event": delivery.event, "endpoint": delivery.endpoint, "state": "dropped"}
        ok, outcome = post(endpoint["url"], json.dumps(public(event), indent=2), endpoint["_secret"])
        attempts = delivery.attempts + 1
        state_now = "done" if ok else ("pending" if attempts <= len(BACKOFF) else "failed")
        self._note(delivery, state_now, outcome, attempts)
        if state_now == "done":
            self._count_down(event["id"])
        return {
            "event": event["id"],
            "type": event["type"],
            "endpoint": endpoint["id"],
            "state": state_now,
            "outcome": outcome,
        }

    def _note(self, delivery: Delivery, state: str, outcome: str, attempts: int) -> None:
        wait = BACKOFF[min(attempts, len(BACKOFF)) - 1] if attempts else 0
        self._store.rows(
            "UPDATE deliveries SET state = ?, outcome = ?, attempts = ?, due = ? WHERE seq = ? AND state = 'pending'",
            state,
            outcome,
            attempts,
            time.time() + wait,
            delivery.seq,
        )

    def _count_down(self, event_id: str) -> None:
        with self._store.transaction():
            event = self._store.find(event_id, "event")
            if event and event["pending_webhooks"] > 0:
                event["pending_webhooks"] -= 1
                self._store.put(event, kind="event")


def post(url: str, payload: str, secret: str) -> tuple[bool, str]:
    """One signed POST; whether it was taken, and the status or the error in words. Redirects count as failures."""
    parts = urlsplit(url)
    https = parts.scheme == "https"
    kind = http.client.HTTPSConnection if https else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "Stripe/1.0 (stand-in)",
        "Stripe-Signature": sign(payload, secret, int(time.time())),
    }
    try:
        connection.request("POST", target, payload.encode(), headers)
        response = connection.getresponse()
        response.read(65_536)
    except (OSError, http.client.HTTPException) as error:
        return False, f"{type(error).__name__}: {error}"
    finally:
        connection.close()
    return response.status in _OK, str(response.status)
