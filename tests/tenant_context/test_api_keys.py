"""Keys of programs: their form, their checksum, what is stored of them, and who they open the door for."""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenant_context import api_keys
from tenant_context.api_keys import _ALPHABET, ApiKeyVerifier, key_hash, key_prefix, make_key
from tenant_context.context import Source
from tenant_context.dynamo import Item, Table, tenant_key
from tenant_context.errors import Unauthenticated

PEPPER = "a pepper of the tests"
TENANT = uuid4()
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


class Clock:
    now = NOW

    def __call__(self) -> datetime:
        return self.now


class Shelf(Table):
    """The table of keys, in memory; `get` is all that a verifier asks of it."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], Item] = {}
        self.asked = 0
        self.used: list[tuple[str, int]] = []

    def get(self, pk: str, sk: str) -> Item | None:
        self.asked += 1
        return self.items.get((pk, sk))

    def update(self, pk: str, sk: str, expression: str, values: Any, **_: Any) -> Item:
        assert (pk, expression) == (tenant_key(TENANT, "keys"), "SET last_used_at = :now")
        self.used.append((sk, values[":now"]))
        return {}

    def keep(self, prefix: str, text: str, **more: Any) -> None:
        self.items[f"key#{prefix}", "key"] = {
            "tenant": str(TENANT),
            "digest": key_hash(text, PEPPER),
            "scopes": ["ingest.write"],
            "valid_until": 0,
            "revoked": False,
            **more,
        }


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def verifier(shelf: Shelf, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> ApiKeyVerifier:
    monkeypatch.setattr(api_keys, "secret", lambda _name: PEPPER)
    return ApiKeyVerifier(shelf, "pepper", clock)


def test_a_key_tells_its_stage_and_its_prefix() -> None:
    made = make_key("prod")
    marker, stage, prefix, rest = made.text.split("_")
    assert (marker, stage, prefix) == ("rmap", "prod", made.prefix)
    assert (len(prefix), len(rest)) == (12, 38)
    assert set(prefix + rest) <= set(_ALPHABET)


def test_a_key_is_read_back_by_its_prefix() -> None:
    for _ in range(100):
        made = make_key("local")
        assert key_prefix(made.text) == made.prefix


def test_no_two_keys_are_alike() -> None:
    made = [make_key("local") for _ in range(500)]
    assert len({key.prefix for key in made}) == len({key.text for key in made}) == 500


@given(place=st.integers(0, 66), character=st.sampled_from(_ALPHABET))
def test_one_mistyped_character_is_noticed_without_a_look_up(place: int, character: str) -> None:
    text = make_key("local").text
    mistyped = text[:place] + character + text[place + 1 :]
    assert (key_prefix(mistyped) is None) == (mistyped != text)


GOOD = "rmap_local_Y1V1QBbNhCMK_4WrhnPPvDyftZaPQndy0QcRz19S3r8ap" + "hH46F3"


@pytest.mark.parametrize(
    "text",
    ["", "_", "___", "rmap", GOOD[:-1], GOOD + "x", " " + GOOD, GOOD + "\n", GOOD.upper(), GOOD.replace("rmap", "rmop"),
     GOOD.replace("_", "-"), GOOD[:-6] + "é" * 6, "é" * 67, "x" * 9000, GOOD + "_", "rmap_local_" + "é" * 12 + "_x"],
)  # fmt: skip
def test_what_is_no_key_has_no_prefix(text: str) -> None:
    assert key_prefix(text) is None


@given(st.text(max_size=80))
def test_any_text_is_no_key(text: str) -> None:
    assert key_prefix(text) is None


def test_what_is_stored_is_an_hmac_under_the_pepper() -> None:
    expected = hmac.new(PEPPER.encode(), GOOD.encode(), hashlib.sha256).hexdigest()
    assert key_hash(GOOD, PEPPER) == expected
    assert key_hash(GOOD, "another pepper") != expected


def test_a_good_key_opens_its_tenant_with_its_scopes_and_nothing_else(verifier: ApiKeyVerifier, shelf: Shelf) -> None:
    made = make_key("local")
    shelf.keep(made.prefix, made.text)
    context = verifier.prove(made.text, "request-1")
    assert (context.tenant, context.user, context.source) == (TENANT, None, Source.KEY)
    assert context.permissions == {"ingest.write"}
    assert (context.key, context.request_id, context.actor) == (made.prefix, "request-1", f"key:{made.prefix}")


def refused(verifier: ApiKeyVerifier, text: str) -> str:
    with pytest.raises(Unauthenticated) as caught:
        verifier.prove(text, "r")
    return caught.value.detail


def test_unknown_wrong_revoked_and_expired_look_alike(verifier: ApiKeyVerifier, shelf: Shelf) -> None:
    revoked, expired, same_prefix = make_key("local"), make_key("local"), make_key("local")
    shelf.keep(revoked.prefix, revoked.text, revoked=True)
    shelf.keep(expired.prefix, expired.text, valid_until=int(NOW.timestamp()))
    shelf.keep(same_prefix.prefix, make_key("local").text)
    answers = {refused(verifier, text) for text in (make_key("local").text, revoked.text, expired.text,
                                                    same_prefix.text, "nonsense", "", "é")}  # fmt: skip
    assert len(answers) == 1


def test_a_key_is_good_until_the_second_it_expires(verifier: ApiKeyVerifier, shelf: Shelf, clock: Clock) -> None:
    made = make_key("local")
    shelf.keep(made.prefix, made.text, valid_until=int(NOW.timestamp()) + 5)
    verifier.prove(made.text, "r")
    clock.now = NOW + timedelta(seconds=5)
    refused(verifier, made.text)


def test_a_look_up_is_kept_for_ten_seconds_so_a_revoked_key_stops_within_them(
    verifier: ApiKeyVerifier, shelf: Shelf, clock: Clock
) -> None:
    made = make_key("local")
    shelf.keep(made.prefix, made.text)
    verifier.prove(made.text, "r")
    shelf.keep(made.prefix, made.text, revoked=True)
    clock.now = NOW + timedelta(seconds=9)
    verifier.prove(made.text, "r")
    assert shelf.asked == 1
    clock.now = NOW + timedelta(seconds=10)
    refused(verifier, made.text)
    assert shelf.asked == 2


def test_a_kept_look_up_opens_nothing_to_another_key_of_the_same_prefix(verifier: ApiKeyVerifier, shelf: Shelf) -> None:
    made = make_key("local")
    shelf.keep(made.prefix, made.text)
    verifier.prove(made.text, "r")
    body = f"rmap_local_{made.prefix}_{'0' * 32}"
    refused(verifier, body + api_keys._checksum(body))


def test_unknown_prefixes_are_not_kept(verifier: ApiKeyVerifier, shelf: Shelf) -> None:
    """Guessing cannot fill a sandbox's memory."""
    for _ in range(50):
        refused(verifier, make_key("local").text)
    assert (shelf.asked, verifier._kept) == (50, {})


def test_what_is_kept_is_bounded(verifier: ApiKeyVerifier, shelf: Shelf) -> None:
    shelf.get = lambda pk, sk: {  # type: ignore[method-assign]
        "tenant": str(UUID(int=1)), "digest": "", "scopes": [], "pk": pk, "sk": sk
    }  # fmt: skip
    for number in range(5000):
        verifier._find(str(number))
    assert len(verifier._kept) <= 4096


@pytest.mark.parametrize(
    ("networks", "address", "good"),
    [
        ([], "anything", True),
        (["192.0.2.0/24"], "192.0.2.9", True),
        (["192.0.2.0/24"], "192.0.3.9", False),
        (["192.0.2.0/24"], "::ffff:192.0.2.9", True),
        (["192.0.2.0/24", "2001:db8::/32"], "2001:db8:7::1", True),
        (["192.0.2.0/24"], "2001:db8:7::1", False),
        (["192.0.2.0/24"], "", False),
        (["192.0.2.0/24"], "192.0.2.9, 10.0.0.1", False),
        (["0.0.0.0/0"], "::1", False),
    ],
)
def test_a_key_may_be_bound_to_networks(
    shelf: Shelf, verifier: ApiKeyVerifier, networks: list[str], address: str, *, good: bool
) -> None:
    made = make_key("test")
    shelf.keep(made.prefix, made.text, networks=networks)
    if good:
        assert verifier.prove(made.text, "r", address).key == made.prefix
    else:
        with pytest.raises(Unauthenticated, match="not valid"):
            verifier.prove(made.text, "r", address)


def test_the_last_use_is_noted_once_in_five_minutes(shelf: Shelf, verifier: ApiKeyVerifier, clock: Clock) -> None:
    made, wrong = make_key("test"), make_key("test")
    shelf.keep(made.prefix, made.text)
    for _ in range(3):
        verifier.prove(made.text, "r")
    with pytest.raises(Unauthenticated):
        verifier.prove(wrong.text, "r")
    assert shelf.used == [(made.prefix, int(NOW.timestamp()))]
    clock.now += timedelta(minutes=5)
    verifier.prove(made.text, "r")
    assert len(shelf.used) == 2
