"""Refresh tokens: one lives, however many ask at once; an old one ends the family. On real DynamoDB semantics."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from threading import Barrier
from uuid import UUID

import pytest

from shared.identity.errors import SessionEnded, SessionReused
from shared.identity.model import Assurance, Membership, Session
from shared.identity.rules import GRACE_SECONDS, REFRESH_SECONDS, read_refresh_token, refresh_token
from shared.identity.service.callers import user_of
from shared.identity.service.sessions import SessionTokens
from tenant_context.aws import AwsClient
from tenant_context.clock import uuid7
from tenant_context.dynamo import Table
from tenant_context.revocations import Revocations
from tests.conftest import MakeTenant
from tests.shared.identity.services import CALLER, PEPPER, Stores

AT_ONCE = 100


@pytest.fixture
def tokens(stores: Stores, wire: AwsClient) -> SessionTokens:
    return stores.tokens(wire)


@pytest.fixture
def first(tokens: SessionTokens, stores: Stores, make_tenant: MakeTenant) -> str:
    """The refresh token of a new session."""
    owner = make_tenant("acme")
    place = Membership(owner.tenant, "acme", "Acme", "owner", "active")
    assurance = Assurance(1, ("pwd",), int(stores.clock().timestamp()))
    return tokens.open(user_of(owner), place, CALLER, assurance).refresh_token


@pytest.fixture
def sandboxes(stores: Stores) -> Iterator[list[SessionTokens]]:
    """A hundred, each with a connection that is open."""
    with ExitStack() as stack:
        wires = [stack.enter_context(closing(AwsClient("dynamodb"))) for _ in range(AT_ONCE)]
        for wire in wires:
            Table(stores.table_name, wire).get("nothing", "nothing")
        yield [stores.tokens(wire) for wire in wires]


def replaced(tokens: SessionTokens, token: str) -> str:
    """The token that a refresh answers with."""
    return refresh_token(tokens.rotate(token)[0], PEPPER)


def session_of(token: str) -> UUID:
    read = read_refresh_token(token)
    assert read is not None
    return read[0]


def test_a_hundred_refreshes_at_once_leave_exactly_one_living_token(
    tokens: SessionTokens, sandboxes: list[SessionTokens], first: str
) -> None:
    together = Barrier(AT_ONCE)

    def refreshed(sandbox: SessionTokens) -> tuple[Session, bool]:
        together.wait(timeout=60)
        return sandbox.rotate(first)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(refreshed, sandboxes))
    assert [was_present for _, was_present in answers].count(True) == 1
    (living,) = {refresh_token(session, PEPPER) for session, _ in answers}
    assert {session.generation for session, _ in answers} == {2}
    third = replaced(tokens, living)
    assert third not in {first, living}
    with pytest.raises(SessionReused):
        tokens.rotate(first)


def test_a_hundred_thieves_at_once_get_nothing_and_end_the_family(
    tokens: SessionTokens, sandboxes: list[SessionTokens], first: str, stores: Stores
) -> None:
    living = replaced(tokens, first)
    stores.clock.passed += GRACE_SECONDS + 1
    together = Barrier(AT_ONCE)

    def refused(sandbox: SessionTokens) -> str:
        together.wait(timeout=60)
        with pytest.raises(SessionEnded) as caught:
            sandbox.rotate(first)
        return type(caught.value).__name__

    with ThreadPoolExecutor(AT_ONCE) as pool:
        told = list(pool.map(refused, sandboxes))
    assert told.count("SessionReused") >= 1
    with pytest.raises(SessionEnded):
        tokens.rotate(living)


def test_the_token_just_replaced_answers_with_the_living_one_for_ten_seconds(
    tokens: SessionTokens, first: str, stores: Stores
) -> None:
    living = replaced(tokens, first)
    for passed in (0, 5, 5):
        stores.clock.passed += passed
        assert replaced(tokens, first) == living
    assert tokens.rotate(living)[1], "the living one is still the present one"


def test_the_token_just_replaced_ends_the_family_after_ten_seconds(
    tokens: SessionTokens, first: str, stores: Stores, wire: AwsClient
) -> None:
    living = replaced(tokens, first)
    stores.clock.passed += GRACE_SECONDS + 0.5
    with pytest.raises(SessionReused) as caught:
        tokens.rotate(first)
    assert caught.value.session == session_of(first)
    with pytest.raises(SessionEnded) as ended:
        tokens.rotate(living)
    assert not isinstance(ended.value, SessionReused), "there is no family any more"
    assert Revocations(Table(stores.table_name, wire), stores.clock).has(str(session_of(first)))


def test_a_token_from_before_the_one_just_replaced_ends_the_family_at_once(tokens: SessionTokens, first: str) -> None:
    second = replaced(tokens, first)
    third = replaced(tokens, second)
    with pytest.raises(SessionReused):
        tokens.rotate(first)
    with pytest.raises(SessionEnded):
        tokens.rotate(third)


def test_a_made_up_token_does_no_harm_to_the_family(tokens: SessionTokens, first: str) -> None:
    head, generation, proof = first.rsplit("_", 2)[0], *first.split("_", 3)[2:]
    turned = ("A" if proof[0] != "A" else "B") + proof[1:]
    for made_up in (
        f"{head}_{generation}_{turned}",
        f"{head}_2_{proof}",
        f"{head}_0_{proof}",
        f"rt_{uuid7().hex}_1_{proof}",
    ):
        with pytest.raises(SessionEnded) as caught:
            tokens.rotate(made_up)
        assert not isinstance(caught.value, SessionReused)
    assert tokens.rotate(first)[1]


def test_releases_side_by_side_read_each_others_sessions(
    tokens: SessionTokens, stores: Stores, wire: AwsClient, first: str
) -> None:
    """The release before keeps the role with a session, and reads it."""
    table, key = Table(stores.table_name, wire), f"session#{session_of(first)}"
    item = table.get(key, "session")
    assert item is not None
    assert "role" in item
    table.put({**item, "role": "owner"})
    assert read_refresh_token(replaced(tokens, first))


def test_a_session_lasts_thirty_days_however_often_it_is_refreshed(
    tokens: SessionTokens, first: str, stores: Stores
) -> None:
    token = first
    for _ in range(29):
        stores.clock.passed += 86_400
        token = replaced(tokens, token)
    stores.clock.passed = REFRESH_SECONDS - 1
    token = replaced(tokens, token)
    stores.clock.passed = REFRESH_SECONDS
    with pytest.raises(SessionEnded):
        tokens.rotate(token)
