"""What each state of a tenant permits, and how a change of it reaches those who let callers in."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest

from tenant_context.errors import Forbidden, Unavailable
from tenant_context.revocations import Revocations
from tenant_context.state_news import Herald, States
from tenant_context.states import HOLDS, LEADS_TO, PERMITS, Need, State, admit, held_to, need_of, permitting, shown
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


def test_every_state_is_in_both_tables() -> None:
    assert set(PERMITS) == set(State)
    assert set(LEADS_TO) == set(State) - {State.SUSPENDED_UNPAID}


def test_only_doors_are_told_why_somebody_is_suspended() -> None:
    assert not any(State.SUSPENDED_UNPAID in leads for leads in LEADS_TO.values())
    assert [state for state in State if shown(state) != state] == [State.SUSPENDED_UNPAID]
    assert PERMITS[State.SUSPENDED] < PERMITS[State.SUSPENDED_UNPAID]
    assert PERMITS[State.SUSPENDED_UNPAID] - PERMITS[State.SUSPENDED] == {Need.LOG_IN, Need.BILLING}


@pytest.mark.parametrize("held", [None, *sorted(HOLDS)])
def test_a_hold_is_never_less_than_what_was_ordered(held: State | None) -> None:
    for billed in (State.BILLING_PENDING, State.ACTIVE, State.PAST_DUE, State.RESTRICTED, State.SUSPENDED):
        made = held_to(held, billed)
        assert PERMITS[made] <= PERMITS[held or billed]
        assert PERMITS[made] <= PERMITS[billed] or held is State.CLOSING


def test_nobody_comes_back_from_closed_and_only_closing_leads_there() -> None:
    assert not LEADS_TO[State.CLOSED]
    assert [state for state, leads in LEADS_TO.items() if State.CLOSED in leads] == [State.CLOSING]


def test_what_was_taken_in_is_worked_on_until_the_tenant_is_closed() -> None:
    assert set(permitting(Need.PROCESS)) == set(State) - {State.CLOSED}


@pytest.mark.parametrize(
    ("permission", "method", "need"),
    [
        ("campaigns.read", "GET", Need.READ),
        ("campaigns.create", "POST", Need.WRITE),
        ("sites.write", "DELETE", Need.WRITE),
        ("ingest.write", "POST", Need.INGEST),
        ("billing.write", "POST", Need.BILLING),
        ("exports.create", "POST", Need.EXPORT),
        ("signed-in", "POST", Need.LOG_IN),
        (None, "POST", Need.LOG_IN),
    ],
)
def test_what_a_route_wants_is_known_by_its_permission(permission: str | None, method: str, need: Need) -> None:
    assert need_of(permission, method) is need


@pytest.mark.parametrize(
    ("state", "permission", "method", "code"),
    [
        ("active", "campaigns.create", "POST", None),
        ("past_due", "campaigns.create", "POST", None),
        ("billing_pending", "ingest.write", "POST", None),
        ("restricted", "campaigns.read", "GET", None),
        ("restricted", "campaigns.create", "POST", "organization-restricted"),
        ("restricted", "ingest.write", "POST", "organization-restricted"),
        ("restricted", "billing.write", "POST", None),
        ("closing", "campaigns.read", "GET", None),
        ("closing", "exports.create", "POST", None),
        ("closing", "campaigns.create", "POST", "organization-closing"),
        ("suspended", "campaigns.read", "GET", "organization-suspended"),
        ("suspended", "signed-in", "GET", "organization-suspended"),
        ("closed", "campaigns.read", "GET", "organization-closed"),
        ("suspended_unpaid", "billing.read", "GET", None),
        ("suspended_unpaid", "billing.write", "POST", None),
        ("suspended_unpaid", "signed-in", "GET", None),
        ("suspended_unpaid", "campaigns.read", "GET", "organization-suspended"),
        ("suspended_unpaid", "users.write", "POST", "organization-suspended"),
        ("suspended_unpaid", "ingest.write", "POST", "organization-suspended"),
        ("suspended_unpaid", "exports.create", "POST", "organization-suspended"),
    ],
)
def test_a_refusal_says_the_state(state: str, permission: str, method: str, code: str | None) -> None:
    if code is None:
        admit(state, permission, method)
        return
    with pytest.raises(Forbidden) as refused:
        admit(state, permission, method)
    assert refused.value.code == code
    assert refused.value.detail


def test_a_keys_tenant_is_known_to_be_suspended_within_five_seconds(table: Watched, time: Time) -> None:
    states, herald, tenant, other = States(table, time.clock), Herald(table, time.clock), uuid4(), uuid4()
    assert states.of(tenant) == "active"
    herald.tell(tenant, State.SUSPENDED, time.clock())
    time.passed += WITHIN_SECONDS
    assert (states.of(tenant), states.of(other)) == ("suspended", "active")


def test_a_thousand_requests_of_a_key_are_one_look_up(table: Watched, time: Time) -> None:
    states, tenant = States(table, time.clock), uuid4()
    for _ in range(1000):
        states.of(tenant)
    assert table.asked == 1


def test_without_the_table_what_is_known_holds_for_a_minute(table: Watched, time: Time) -> None:
    states, tenant = States(table, time.clock), uuid4()
    states.of(tenant)
    table.failing = True
    time.passed += 59
    assert states.of(tenant) == "active"
    time.passed += 2
    with pytest.raises(Unavailable):
        states.of(tenant)
    with pytest.raises(Unavailable):
        states.of(uuid4())


def test_an_older_state_never_covers_a_newer_one(table: Watched, time: Time) -> None:
    herald, tenant = Herald(table, time.clock), uuid4()
    herald.tell(tenant, State.SUSPENDED, time.clock())
    herald.tell(tenant, State.ACTIVE, time.clock() - timedelta(seconds=1))
    assert States(table, time.clock).of(tenant) == "suspended"


def test_tokens_of_before_a_change_are_outdated_within_five_seconds(table: Watched, time: Time) -> None:
    revocations, tenant = Revocations(table, time.clock, time.monotonic), uuid4()
    issued = time.clock().timestamp()
    assert not revocations.outdates(str(tenant), issued)
    Herald(table, time.clock).tell(tenant, State.SUSPENDED, time.clock())
    time.passed += WITHIN_SECONDS
    assert revocations.outdates(str(tenant), issued)
    assert not revocations.outdates(str(tenant), time.clock().timestamp())


def test_what_was_not_heard_is_mended_once(table: Watched, time: Time) -> None:
    herald, tenant = Herald(table, time.clock), uuid4()
    assert not herald.mend(tenant, State.BILLING_PENDING, time.clock())
    assert herald.mend(tenant, State.SUSPENDED, time.clock())
    assert not herald.mend(tenant, State.SUSPENDED, time.clock())
    assert States(table, time.clock).of(tenant) == "suspended"


def test_who_is_read_only_is_told_of_holds_before_bills() -> None:
    """The door does not know which of the two it is; the organization's own address does."""
    with pytest.raises(Forbidden) as caught:
        admit("restricted", "campaigns.create", "POST")
    hold, bill = (caught.value.detail.index(word) for word in ("`held` is what the platform ordered", "bill"))
    assert hold < bill


def test_a_route_may_say_itself_what_it_wants() -> None:
    admit("restricted", "settings.write", "POST", Need.READ)
    with pytest.raises(Forbidden):
        admit("suspended", "settings.write", "POST", Need.READ)
