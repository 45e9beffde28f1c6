"""Guessing a password at the deployed platform: the guesser waits, and a device that logged in before does not."""

import json
from typing import Any

import pytest

from local.demo.tenants import SignedIn
from tests.e2e.conftest import Reply, Wire, newcomer

FREE = 5
"""Wrong guesses for one account from one place, before each next one waits."""


@pytest.fixture
def victim(api_url: str) -> SignedIn:
    return newcomer(api_url, "guessed")


def logged_in(victim: SignedIn, password: str, **more: Any) -> Reply:
    body = json.dumps({"email": victim.user.email, "password": password, **more}).encode()
    return Wire(victim.api.url).send("POST", "/api/v1/auth/login", body, content_type="application/json")


def guess_until_kept_waiting(victim: SignedIn) -> Reply:
    """The refusal of a guesser who does not wait; the first few are free, and a slow machine lets one more pass."""
    for number in range(4 * FREE):
        reply = logged_in(victim, f"guess number {number}")
        if reply.status == 429:
            assert number >= FREE
            return reply
        assert reply.status == 401
    raise AssertionError("nobody kept the guesser waiting")


def test_a_guesser_is_kept_waiting_and_told_how_long(victim: SignedIn) -> None:
    refused = guess_until_kept_waiting(victim)
    assert refused.json["code"] == "too-many-tries"
    assert 1 <= int(refused.headers["retry-after"]) <= 900
    assert refused.headers["content-type"].startswith("application/problem+json")


def test_a_device_that_logged_in_before_is_not_kept_waiting(victim: SignedIn) -> None:
    known = logged_in(victim, victim.user.password).json["device_token"]
    guess_until_kept_waiting(victim)
    came = logged_in(victim, victim.user.password, device_token=known)
    assert came.status == 200, came.body
    assert came.json["device_token"] == known, "it stays known as what it was"
    while (elsewhere := logged_in(victim, "one guess more")).status != 429:
        assert elsewhere.status == 401, "nobody else is let off for that"


def test_a_device_that_somebody_made_up_is_kept_waiting(victim: SignedIn) -> None:
    known = str(logged_in(victim, victim.user.password).json["device_token"])
    other = newcomer(victim.api.url, "guesser")
    theirs = logged_in(other, other.user.password).json["device_token"]
    turned = known[:-1] + ("0" if known[-1] != "0" else "1")
    guess_until_kept_waiting(victim)
    for shown in (turned, theirs, "dt_x_y", "nonsense"):
        # A device that is known has five free guesses of its own; here the wait of everybody grows with each.
        statuses = [logged_in(victim, "one guess more", device_token=shown).status for _ in range(3)]
        assert 429 in statuses, shown


def test_a_guesser_with_a_stolen_device_is_kept_waiting_as_well(victim: SignedIn) -> None:
    known = logged_in(victim, victim.user.password).json["device_token"]
    statuses = [logged_in(victim, f"guess number {number}", device_token=known).status for number in range(4 * FREE)]
    assert statuses[:FREE] == [401] * FREE
    assert 429 in statuses
