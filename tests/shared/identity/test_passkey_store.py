"""Passkeys are there once, wholly, ten at most, and count forward: on real DynamoDB semantics."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from shared.identity.model import Passkey
from shared.identity.repository.factors import FactorRepository
from shared.identity.repository.passkeys import PasskeyRepository
from tenant_context.aws import AwsClient
from tenant_context.dynamo import ConditionFailed, Table, count, delete_existing, put_new

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def passkey(user: UUID, uses: int = 0) -> Passkey:
    return Passkey(
        id=uuid4().hex,
        user=user,
        name="Laptop",
        public_key=b"key",
        sign_count=uses,
        transports=("usb", "nfc"),
        synced=False,
        backed_up=False,
        created_at=NOW,
    )


@pytest.fixture
def table(table_name: str) -> Iterator[Table]:
    wire = AwsClient("dynamodb")
    yield Table(table_name, wire)
    wire.close()


@pytest.fixture
def passkeys(table: Table) -> PasskeyRepository:
    return PasskeyRepository(table, 10)


def at_once(table_name: str, passkey_or_user: list[Passkey], act: Callable[[PasskeyRepository, Passkey], bool]) -> int:
    """How many of those who act at once succeed; a connection is for one thread."""

    def one(mine: Passkey) -> bool:
        wire = AwsClient("dynamodb")
        try:
            return act(PasskeyRepository(Table(table_name, wire), 10), mine)
        finally:
            wire.close()

    with ThreadPoolExecutor(8) as pool:
        return sum(pool.map(one, passkey_or_user))


def test_what_is_kept_is_read_back(passkeys: PasskeyRepository, table: Table) -> None:
    mine = passkey(uuid4(), uses=3)
    assert passkeys.add(mine)
    assert passkeys.of_user(mine.user) == [mine]
    assert (passkeys.find(mine.user, mine.id), passkeys.user_of(mine.id)) == (mine, mine.user)
    assert FactorRepository(table).of(mine.user).passkeys == 1
    assert passkeys.find(uuid4(), mine.id) is None


def test_a_credential_is_one_users_only(passkeys: PasskeyRepository) -> None:
    mine = passkey(uuid4())
    assert passkeys.add(mine)
    theirs = replace(mine, user=uuid4(), public_key=b"another key")
    assert not passkeys.add(theirs)
    assert not passkeys.add(replace(mine, name="Again"))
    assert passkeys.of_user(theirs.user) == []
    assert passkeys.find(mine.user, mine.id) == mine


def test_a_user_has_ten_at_most_and_gets_a_place_back(passkeys: PasskeyRepository) -> None:
    user = uuid4()
    held = [passkey(user) for _ in range(10)]
    assert all(passkeys.add(one) for one in held)
    assert not passkeys.add(passkey(user))
    assert passkeys.remove(user, held[0].id)
    assert passkeys.add(passkey(user))
    assert not passkeys.add(passkey(user))


def test_ten_at_most_holds_for_those_who_add_at_once(table_name: str, passkeys: PasskeyRepository) -> None:
    user = uuid4()
    added = at_once(table_name, [passkey(user) for _ in range(16)], PasskeyRepository.add)
    assert len(passkeys.of_user(user)) == added <= 10


def test_one_credential_added_at_once_is_there_once(table_name: str, passkeys: PasskeyRepository) -> None:
    mine = passkey(uuid4())
    rivals = [replace(mine, user=uuid4()) for _ in range(8)]
    assert at_once(table_name, rivals, PasskeyRepository.add) == 1
    assert sum(len(passkeys.of_user(rival.user)) for rival in rivals) == 1


def test_removing_leaves_nothing_and_happens_once(passkeys: PasskeyRepository) -> None:
    mine = passkey(uuid4())
    passkeys.add(mine)
    assert not passkeys.remove(uuid4(), mine.id)
    assert passkeys.remove(mine.user, mine.id)
    assert not passkeys.remove(mine.user, mine.id)
    assert (passkeys.of_user(mine.user), passkeys.user_of(mine.id)) == ([], None)
    assert passkeys.add(mine), "it may come back"


@pytest.mark.parametrize(
    ("kept", "told", "good"), [(5, 6, True), (5, 5, False), (5, 4, False), (5, 0, False), (0, 0, True), (0, 7, True)]
)
def test_a_counter_goes_forward_or_is_never_used(passkeys: PasskeyRepository, kept: int, told: int, good: bool) -> None:  # noqa: FBT001
    mine = passkey(uuid4(), uses=kept)
    passkeys.add(mine)
    assert passkeys.use(mine, told, backed_up=True, now=NOW) is good
    found = passkeys.find(mine.user, mine.id)
    assert found is not None
    assert (found.sign_count, found.last_used_at) == ((told, NOW) if good else (kept, None))


def test_what_is_gone_is_not_used(passkeys: PasskeyRepository) -> None:
    mine = passkey(uuid4())
    assert not passkeys.use(mine, 1, backed_up=False, now=NOW)
    assert not passkeys.use(mine, 0, backed_up=False, now=NOW)
    assert passkeys.of_user(mine.user) == []


def test_changes_are_made_together_or_not_at_all(table: Table) -> None:
    here, missing = uuid4().hex, uuid4().hex
    with pytest.raises(ConditionFailed):
        table.together(put_new({"pk": here, "sk": "x"}), delete_existing(missing, "x"))
    assert table.get(here, "x") is None
    table.together(put_new({"pk": here, "sk": "x"}), count(here, "n", "held", 1, most=1))
    assert (table.get(here, "n") or {})["held"] == 1
    with pytest.raises(ConditionFailed):
        table.together(delete_existing(here, "x"), count(here, "n", "held", 1, most=1))
    assert table.get(here, "x") is not None
