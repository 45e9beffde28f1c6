"""Real processes for the tests of the local cloud: each on a free port, with its state in the test's folder."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import requests
import stripe

API_KEY = "sk_test_of_the_tests"


class Running(NamedTuple):
    """A process that printed its address."""

    url: str
    process: "subprocess.Popen[str]"


class Service:
    """Starts `python -m <module>` and hands out its address; stops what it started."""

    def __init__(self) -> None:
        self._processes: list[subprocess.Popen[str]] = []

    def start(self, module: str, *arguments: str) -> Running:
        process = subprocess.Popen(
            [sys.executable, "-m", module, "--port", "0", *arguments], stdout=subprocess.PIPE, text=True
        )
        self._processes.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "http://" in line, f"{module} did not start"
        return Running(line.split()[-1], process)

    def stop(self, process: "subprocess.Popen[str]") -> None:
        process.terminate()
        process.wait(15)
        if process.stdout is not None:
            process.stdout.close()

    def stop_all(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                self.stop(process)


class StandIn:
    """The Stripe stand-in of one test: the real library as client, and its control API."""

    def __init__(self, service: Service, folder: Path) -> None:
        self._service = service
        self._folder = folder
        (folder / "key").write_text(API_KEY)
        self.start()

    def start(self) -> None:
        state, key = self._folder / "stripe.db", self._folder / "key"
        self.url, self.process = self._service.start("local.stripe", "--state", str(state), "--api-key-file", str(key))
        self.client = self.client_with(API_KEY)

    def restart(self) -> None:
        self._service.stop(self.process)
        self.start()

    def client_with(self, key: str, retries: int = 0) -> Any:
        http = stripe.RequestsClient(timeout=5)
        return stripe.StripeClient(
            key,
            base_addresses={"api": self.url},
            max_network_retries=retries,
            http_client=http,
        )

    def control(self, path: str, **body: Any) -> dict[str, Any]:
        response = requests.post(f"{self.url}/_control/{path}", json=body, timeout=30)
        assert response.ok, response.text
        answer: dict[str, Any] = response.json()
        return answer

    def state(self, path: str = "") -> dict[str, Any]:
        answer: dict[str, Any] = requests.get(f"{self.url}/_control{path}", timeout=10).json()
        return answer

    def price(self, amount: int = 4_900, **recurring: object) -> str:
        product = self.client.v1.products.create({"name": "Growth"})
        price = self.client.v1.prices.create(
            {
                "product": product.id,
                "currency": "eur",
                "unit_amount": amount,
                "recurring": {"interval": "month", **recurring},
            }
        )
        return str(price.id)

    def customer(self, card: str | None = "pm_card_visa") -> str:
        made = self.client.v1.customers.create({"email": "owner@acme.example", "name": "Acme"})
        if card:
            method = self.client.v1.payment_methods.attach(card, {"customer": made.id})
            self.client.v1.customers.update(made.id, {"invoice_settings": {"default_payment_method": method.id}})
        return str(made.id)

    def event_types(self) -> list[str]:
        """Types of all events, oldest first."""
        return [event.type for event in self.client.v1.events.list({"limit": 100}).auto_paging_iter()][::-1]


def eventually(holds: Callable[[], bool], what: str, seconds: float = 15) -> None:
    """Poll until it holds; fail naming `what` if it never does."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain for {what}"
        time.sleep(0.02)
