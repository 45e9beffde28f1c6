"""Webhooks through the deployed functions: what fails is tried again, what was missed comes in order, secrets turn."""

import base64
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import requests
from standardwebhooks import Webhook, WebhookVerificationError

from local.demo.api import wait_for
from local.demo.tenants import SignedIn
from local.stack import Stack
from tenant_context.clock import rfc3339, utc_now
from tests.e2e.conftest import newcomer

TYPE = "campaign.created"


class Hook:
    """An endpoint of a tenant at a path of the receiver's own, which answers its challenge."""

    def __init__(self, stack: Stack, owner: SignedIn, **more: Any) -> None:
        self.api = owner.api
        self._receiver, self._name = stack.webhook_receiver_url, uuid4().hex[:12]
        self.said: dict[str, Any] = {
            "url": f"{self._receiver}/hooks/{self._name}",
            "event_types": [TYPE],
            **more,
        }
        self.behave()
        made = self.api.post("/api/v1/webhooks/endpoints", self.said)
        self.id, self.secret, self.version = made["id"], made["secret"], 1
        self.address = f"/api/v1/webhooks/endpoints/{self.id}"
        wait_for("the challenge", lambda: self.api.get(self.address)["verification"]["state"] == "verified")

    def behave(self, **how: Any) -> None:
        """Have the receiver answer so."""
        requests.put(f"{self._receiver}/_control/paths/{self._name}", json=how, timeout=10).raise_for_status()

    def switch(self, *, on: bool) -> None:
        """As its owner does."""
        self.api.put(self.address, {**self.said, "enabled": on}, version=self.version)
        self.version += 1

    def calls(self) -> list[dict[str, Any]]:
        """The events that came, in order, without challenges."""
        found = requests.get(f"{self._receiver}/requests", {"path": f"/hooks/{self._name}"}, timeout=10).json()
        return [one for one in found["requests"] if json.loads(one["body"])["type"] != "webhook.verification"]

    def waits_for(self, count: int) -> list[dict[str, Any]]:
        """So many calls."""
        wait_for(f"call {count}", lambda: len(self.calls()) >= count)
        return self.calls()

    def stands(self, message: str) -> tuple[str, int]:
        """Where a message stands with it."""
        found = self.api.get(f"{self.address}/messages/{message}")
        return found["state"], found["attempts"]

    def comes_to(self, message: str, state: str, attempts: int) -> None:
        """A message stands so, in the end."""
        wait_for(f"{state} after {attempts}", lambda: self.stands(message) == (state, attempts))


@pytest.fixture(scope="module")
def owner(stack: Stack) -> SignedIn:
    """An organization of this module's own: what others do has no events here."""
    return newcomer(stack.api_url, "hooked")


@pytest.fixture
def hook(stack: Stack, owner: SignedIn) -> Iterator[Hook]:
    """An endpoint whose schedule is short."""
    made = Hook(stack, owner, retry_schedule=[1, 1, 1])
    yield made
    owner.api.call("DELETE", made.address)


def happens(owner: SignedIn, name: str = "Hooked") -> str:
    """Something happens that endpoints are told of; answers its campaign."""
    return str(owner.api.post("/api/v1/campaigns", {"name": name, "budget": "1.00"})["id"])


def subjects(calls: list[dict[str, Any]]) -> list[str]:
    return [json.loads(one["body"])["subject"].partition("/")[2] for one in calls]


def judged(call: dict[str, Any], secret: str) -> bool:
    """What the standard's own package says of a call."""
    try:
        Webhook(secret).verify(base64.b64decode(call["body_base64"]), call["headers"])
    except WebhookVerificationError:
        return False
    return True


def test_what_a_receiver_refuses_is_tried_again_under_the_same_id(hook: Hook, owner: SignedIn) -> None:
    hook.behave(status=500, times=2)
    campaign = happens(owner)
    calls = hook.waits_for(3)
    assert subjects(calls) == [campaign] * 3
    assert len({one["headers"]["webhook-id"] for one in calls}) == 1
    assert [one["answered"] for one in calls] == [500, 500, 200]
    hook.comes_to(calls[0]["headers"]["webhook-id"], "delivered", 3)


def test_a_test_comes_to_the_endpoint_that_is_tested_and_is_signed(stack: Stack, hook: Hook, owner: SignedIn) -> None:
    other = Hook(stack, owner)
    message = hook.api.post(f"{hook.address}/test")["message_id"]
    [call] = hook.waits_for(1)
    assert (call["headers"]["webhook-id"], judged(call, hook.secret)) == (message, True)
    hook.comes_to(message, "delivered", 1)
    assert other.calls() == []
    owner.api.call("DELETE", other.address)


def test_what_was_delivered_is_sent_once_more_when_it_is_asked_for(hook: Hook, owner: SignedIn) -> None:
    happens(owner)
    message = hook.waits_for(1)[0]["headers"]["webhook-id"]
    hook.comes_to(message, "delivered", 1)
    hook.api.post(f"{hook.address}/messages/{message}/resend")
    assert {one["headers"]["webhook-id"] for one in hook.waits_for(2)} == {message}
    hook.comes_to(message, "delivered", 2)


def test_all_of_a_stretch_of_time_is_recovered_in_order(hook: Hook, owner: SignedIn) -> None:
    since = utc_now() - timedelta(seconds=1)
    happened = [happens(owner, f"Recovered {number}") for number in range(3)]
    for message in {one["headers"]["webhook-id"] for one in hook.waits_for(3)}:
        hook.comes_to(message, "delivered", 1)
    until = utc_now() + timedelta(seconds=1)
    span = {"what": "all", "since": rfc3339(since), "until": rfc3339(until)}
    hook.api.post(f"{hook.address}/recover", span)
    assert subjects(hook.waits_for(6)[3:]) == happened


def test_what_is_missed_while_it_is_disabled_comes_afterwards_in_order(
    stack: Stack, hook: Hook, owner: SignedIn
) -> None:
    witness = Hook(stack, owner)
    hook.switch(on=False)
    happened = [happens(owner, f"Missed {number}") for number in range(4)]
    for message in {one["headers"]["webhook-id"] for one in witness.waits_for(4)}:
        hook.comes_to(message, "held", 0)
    assert hook.calls() == []
    hook.switch(on=True)
    assert subjects(hook.waits_for(4)) == happened
    assert len(hook.calls()) == len(happened)
    owner.api.call("DELETE", witness.address)


def test_a_secret_that_is_turned_signs_beside_the_one_before_until_the_overlap_ends(
    hook: Hook, owner: SignedIn
) -> None:
    turned = hook.api.post(f"{hook.address}/rotate-secret?overlap_hours=1")["secret"]
    happens(owner)
    [both] = hook.waits_for(1)
    assert (turned != hook.secret, judged(both, turned), judged(both, hook.secret)) == (True, True, True)
    last = hook.api.post(f"{hook.address}/rotate-secret?overlap_hours=0")["secret"]
    happens(owner)
    one = hook.waits_for(2)[1]
    assert (judged(one, last), judged(one, turned)) == (True, False)
