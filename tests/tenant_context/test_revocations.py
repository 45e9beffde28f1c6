"""Ended sessions: known within five seconds, without a look-up for each request."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest

from tenant_context.errors import Unavailable
from tenant_context.revocations import Revocations, outdate, revoke
from tests.clocks import Time
from tests.dynamo import Watched, watched

WITHIN_SECONDS = 5


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def table(table_name: str) -> Iterator[Watched]:
    with watched(table_name) as opened:
        yield opened


@pytest.fixture
def revocations(table: Watched, time: Time) -> Revocations:
    return Revocations(table, time.clock, time.monotonic)


def test_an_ended_session_is_known_within_five_seconds(table: Watched, time: Time, revocations: Revocations) -> None:
    ended, living = uuid4(), uuid4()
    assert not revocations.has(str(ended))
    revoke(table, ended, time.clock())
    time.passed += WITHIN_SECONDS
    assert revocations.has(str(ended))
    assert not revocations.has(str(living))


def test_a_thousand_requests_are_one_reading(table: Watched, revocations: Revocations) -> None:
    assert not any(revocations.has(str(uuid4())) for _ in range(1000))
    assert table.asked == 1


def test_it_stays_known_while_a_token_of_it_could_live(table: Watched, time: Time, revocations: Revocations) -> None:
    ended = uuid4()
    revoke(table, ended, time.clock())
    for _ in range(15 * 12):
        time.passed += WITHIN_SECONDS
        assert revocations.has(str(ended))
    fresh = Revocations(table, time.clock, time.monotonic)
    assert fresh.has(str(ended)), "a sandbox that starts later knows it too"


def test_and_is_forgotten_after(table: Watched, time: Time, revocations: Revocations) -> None:
    revoke(table, uuid4(), time.clock())
    assert not revocations.has("any")
    assert len(revocations._until) == 1
    time.passed += 20 * 60
    assert not revocations.has("any")
    assert revocations._until == {}


@pytest.mark.parametrize("seconds", [-20, 20])
def test_a_writer_whose_clock_is_wrong_is_heard(
    table: Watched, time: Time, revocations: Revocations, seconds: int
) -> None:
    assert not revocations.has("any")
    ended = uuid4()
    revoke(table, ended, time.clock() + timedelta(seconds=seconds))
    time.passed += WITHIN_SECONDS
    assert revocations.has(str(ended))


def test_many_at_once_are_all_known(table: Watched, time: Time, revocations: Revocations) -> None:
    ended = [uuid4() for _ in range(60)]
    for one in ended:
        revoke(table, one, time.clock())
    assert all(revocations.has(str(one)) for one in ended)


def test_without_the_table_what_is_known_holds_for_a_minute(
    table: Watched, time: Time, revocations: Revocations
) -> None:
    ended = uuid4()
    revoke(table, ended, time.clock())
    assert revocations.has(str(ended))
    table.failing = True
    time.passed += 50
    assert revocations.has(str(ended))
    assert not revocations.has(str(uuid4()))
    time.passed += 50
    with pytest.raises(Unavailable):
        revocations.has(str(uuid4()))
    table.failing = False
    assert revocations.has(str(ended)), "and then at once again"


def test_a_fresh_sandbox_lets_nobody_in_before_it_knows(table: Watched, revocations: Revocations) -> None:
    table.failing = True
    for _ in range(2):
        with pytest.raises(Unavailable):
            revocations.has(str(uuid4()))


def test_a_tenants_tokens_issued_until_a_change_are_outdated_and_no_others(
    table: Watched, time: Time, revocations: Revocations
) -> None:
    tenant, changed_at = uuid4(), time.clock().timestamp()
    outdate(table, tenant, time.clock())
    assert revocations.outdates(str(tenant), changed_at)
    assert revocations.outdates(str(tenant), changed_at - 900)
    assert not revocations.outdates(str(tenant), changed_at + 1)
    assert not revocations.outdates(str(uuid4()), changed_at)
    time.passed += 20 * 60
    assert not revocations.outdates(str(tenant), changed_at), "no token of that time is left"


def test_of_two_changes_the_later_one_counts(table: Watched, time: Time, revocations: Revocations) -> None:
    tenant = uuid4()
    outdate(table, tenant, time.clock() + timedelta(seconds=2))
    outdate(table, tenant, time.clock())
    assert revocations.outdates(str(tenant), time.clock().timestamp() + 2)
