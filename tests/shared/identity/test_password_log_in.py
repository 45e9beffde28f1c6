"""Log-in by password on a real database: hashed anew when the costs change, and nobody's password costs as much."""

from typing import Any

import pytest
from argon2 import PasswordHasher, extract_parameters

from shared.identity.errors import WrongCredentials
from shared.identity.gateway.passwords import Passwords
from shared.identity.model import SignedIn
from shared.identity.service.sign_in import Identity
from tenant_context.aws import AwsClient
from tenant_context.context import TenantContext
from tests.conftest import Clone, MakeTenant
from tests.shared.identity.services import CALLER, Stores

EMAIL, PASSWORD = "owner@acme.example", "the password of acme"


class Counting(PasswordHasher):
    """Argon2id at its cheapest, which counts what it is asked to do."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.asked: list[str] = []

    def hash(self, *arguments: Any, **named: Any) -> str:
        self.asked.append("hash")
        return super().hash(*arguments, **named)

    def verify(self, *arguments: Any, **named: Any) -> Any:
        self.asked.append("verify")
        return super().verify(*arguments, **named)


def costing(time_cost: int, memory_kib: int = 8, lanes: int = 1) -> Passwords:
    return Passwords(time_cost=time_cost, memory_kib=memory_kib, lanes=lanes)


@pytest.fixture
def acme(make_tenant: MakeTenant, clone: Clone) -> TenantContext:
    """A tenant whose owner has a password, hashed at yesterday's costs."""
    tenant = make_tenant("acme")
    keep(clone, costing(1).hash(PASSWORD))
    return tenant


def keep(clone: Clone, password_hash: str) -> None:
    with clone.connect() as admin:
        admin.execute("UPDATE users SET password_hash = %s WHERE email = %s", (password_hash, EMAIL))


def kept(clone: Clone) -> str:
    with clone.connect() as admin:
        row = admin.execute("SELECT password_hash FROM users WHERE email = %s", (EMAIL,)).fetchone()
    assert row is not None
    return str(row[0])


def came_in(identity: Identity, email: str = EMAIL, password: str = PASSWORD) -> bool:
    try:
        came = identity.log_in(email, password, None, CALLER)
    except WrongCredentials:
        return False
    assert isinstance(came, SignedIn)
    return True


@pytest.mark.usefixtures("acme")
@pytest.mark.parametrize("today", [(2, 8, 1), (1, 16, 1), (1, 16, 2)], ids=["passes", "memory", "lanes"])
def test_a_password_is_hashed_anew_at_the_log_in_after_the_costs_changed(
    stores: Stores, wire: AwsClient, clone: Clone, today: tuple[int, int, int]
) -> None:
    identity, before = stores.identity(wire, costing(*today)), kept(clone)
    assert came_in(identity)
    anew = kept(clone)
    costs = extract_parameters(anew)
    assert (costs.time_cost, costs.memory_cost, costs.parallelism) == today
    assert anew != before
    assert came_in(identity), "the password is the same"
    assert kept(clone) == anew, "hashed anew once"


@pytest.mark.usefixtures("acme")
def test_a_wrong_password_hashes_nothing_anew(stores: Stores, wire: AwsClient, clone: Clone) -> None:
    before = kept(clone)
    assert not came_in(stores.identity(wire, costing(2)), password="not the password")
    assert kept(clone) == before


@pytest.mark.usefixtures("acme")
def test_a_password_is_left_alone_while_the_costs_stay(stores: Stores, wire: AwsClient, clone: Clone) -> None:
    before = kept(clone)
    assert came_in(stores.identity(wire, costing(1)))
    assert kept(clone) == before


@pytest.mark.usefixtures("acme")
def test_whoever_asks_pays_for_exactly_one_verification(stores: Stores, wire: AwsClient, clone: Clone) -> None:
    passwords, hasher = costing(1), Counting()
    passwords._hasher = hasher
    identity = stores.identity(wire, passwords)
    came_in(identity, "the-first-of-the-sandbox@nowhere.example")
    paid: dict[str, list[str]] = {}

    def ask(who: str, email: str, password: str, *, good: bool = False) -> None:
        hasher.asked.clear()
        assert came_in(identity, email, password) is good
        paid[who] = list(hasher.asked)

    ask("nobody", "nobody@nowhere.example", PASSWORD)
    ask("no address", "nobody", PASSWORD)
    ask("nobody, with the decoy's word", "nobody@nowhere.example", "nobody's password")
    ask("wrong", EMAIL, "not the password")
    ask("right", EMAIL, PASSWORD, good=True)
    keep(clone, "")
    ask("a user without a password", EMAIL, PASSWORD)
    ask("a user without a password, with the decoy's word", EMAIL, "nobody's password")
    assert paid == {who: ["verify"] for who in paid}
    assert len(paid) == 7
