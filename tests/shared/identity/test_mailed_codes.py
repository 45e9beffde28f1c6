"""Guessing the codes of mails: slowed for the guesser's address, wherever a code is taken."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from uuid import uuid4

import pytest

from shared.identity.errors import TicketEnded, TooManyTries
from shared.identity.gateway.passwords import Passwords
from shared.identity.repository.tickets import TicketRepository
from shared.identity.service.callers import Caller
from tenant_context.aws import AwsClient
from tenant_context.context import TenantContext
from tenant_context.dynamo import Table
from tests.conftest import MakeTenant
from tests.shared.identity.services import CALLER, Stores

FREE = 50
_HOSTS = count(1)
Guess = Callable[[Caller], object]


@pytest.fixture
def guesser() -> Caller:
    """Somebody at an address where nobody has guessed before."""
    return replace(CALLER, source_ip=f"192.0.2.{next(_HOSTS)}")


@pytest.fixture
def doors(stores: Stores, wire: AwsClient, make_tenant: MakeTenant) -> dict[str, Guess]:
    """Every operation that takes a code of a mail, with one that nobody sent."""
    tenant: TenantContext = make_tenant("acme")
    recovery, account = stores.recovery(wire), stores.account(wire)
    asked = stores.identity(wire, Passwords(time_cost=1, memory_kib=8, lanes=1))._asked
    return {
        "confirm": lambda caller: recovery.confirm(tenant, "em_guessed", caller),
        "reset": lambda caller: recovery.reset("pw_guessed", "a password nobody has", caller),
        "change of address": lambda caller: account.confirm_email("ea_guessed", caller),
        "invitation": lambda caller: asked.read("in_guessed", caller.source_ip),
    }


def waits(guess: Guess, caller: Caller) -> int:
    """How long a guess is kept waiting; 0 where it was judged."""
    try:
        guess(caller)
    except TooManyTries as refused:
        return int(refused.headers["retry-after"])
    except TicketEnded:
        return 0
    raise AssertionError("a guess was good")


@pytest.mark.parametrize("door", ["confirm", "reset", "change of address", "invitation"])
def test_after_some_wrong_codes_each_waits_longer(
    doors: dict[str, Guess], stores: Stores, guesser: Caller, door: str
) -> None:
    guess = doors[door]
    assert [waits(guess, guesser) for _ in range(FREE)] == [0] * FREE
    kept = []
    for _ in range(11):
        kept.append(waits(guess, guesser))
        stores.clock.passed += kept[-1]
        assert waits(guess, guesser) == 0, "whoever waits is heard"
    assert kept == sorted(kept)
    assert kept[0] <= 2
    assert kept[-1] >= 300


def test_another_kind_of_code_is_no_way_around(doors: dict[str, Guess], guesser: Caller) -> None:
    for _ in range(FREE):
        assert waits(doors["reset"], guesser) == 0
    assert all(waits(guess, guesser) > 0 for guess in doors.values())


def test_nobody_elsewhere_waits_for_it(doors: dict[str, Guess], guesser: Caller) -> None:
    while waits(doors["reset"], guesser) == 0:
        pass
    assert waits(doors["reset"], replace(guesser, source_ip="198.51.100.201")) == 0


def test_codes_that_are_good_count_for_nothing(stores: Stores, wire: AwsClient, guesser: Caller) -> None:
    code, codes = uuid4().hex, stores.codes(wire)
    tickets = TicketRepository(Table(stores.table_name, wire))
    tickets.put("invitation", code, {"email": "x"}, int(stores.clock().timestamp()) + 60)
    for _ in range(2 * FREE):
        assert codes.read("invitation", code, guesser.source_ip)["email"] == "x"
