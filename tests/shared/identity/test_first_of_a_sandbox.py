"""The first log-in that a sandbox sees: an unknown address costs it no more than a known one."""

import pytest

from shared.identity.gateway.passwords import Passwords
from tests.shared.identity.test_password_log_in import Counting


@pytest.mark.parametrize("kept", [None, ""], ids=["nobody", "a user without a password"])
def test_nobodys_password_costs_a_fresh_sandbox_one_verification(kept: str | None) -> None:
    passwords, hasher = Passwords(time_cost=1, memory_kib=8, lanes=1), Counting()
    passwords._hasher = hasher
    assert not passwords.matches(kept, "any password")
    assert len(hasher.asked) == 1, "to make the decoy costs what to verify by it does"
    assert not passwords.matches(kept, "any password")
    assert len(hasher.asked) == 2
