"""Which passwords are good: their length in characters of any alphabet, and not made of who their user is."""

import pytest

from shared.identity.errors import WeakPassword
from shared.identity.gateway.passwords import Passwords
from shared.identity.rules import MAX_PASSWORD, MIN_PASSWORD, check_password

EMAIL, NAME = "ada@acme.example", "Augusta Lovelace"
LETTERS = ["x", "\u00e9", "\u6f22", "\U0001f511", "\u0301", " "]
"""Of one to four bytes in UTF-8, of one and two units in UTF-16, and some that nobody sees alone."""


def refusal(password: str, email: str = EMAIL, name: str = NAME) -> str:
    """What is wrong with it; nothing, for a good one."""
    try:
        check_password(password, email, name)
    except WeakPassword as error:
        (field,) = error.errors
        assert (field.pointer, field.code) == ("/password", "weak-password")
        return field.message
    return ""


def test_the_bounds_are_those_that_are_documented() -> None:
    assert (MIN_PASSWORD, MAX_PASSWORD) == (12, 128)


@pytest.mark.parametrize("letter", LETTERS, ids=ascii)
@pytest.mark.parametrize(("length", "rule"), [(0, "at least 12"), (1, "at least 12"), (11, "at least 12"), (12, ""),
                                              (13, ""), (127, ""), (128, ""), (129, "at most 128")])  # fmt: skip
def test_length_counts_characters_and_not_bytes(letter: str, length: int, rule: str) -> None:
    told = refusal(letter * length)
    assert rule in told
    assert bool(told) == bool(rule)


@pytest.mark.parametrize("letter", LETTERS, ids=ascii)
def test_the_longest_password_is_judged_to_its_last_character(letter: str) -> None:
    """No hash looks at the first 72 bytes alone."""
    passwords = Passwords(time_cost=1, memory_kib=8, lanes=1)
    kept = passwords.hash(letter * 128)
    assert passwords.matches(kept, letter * 128)
    assert not passwords.matches(kept, letter * 127)
    assert not passwords.matches(kept, letter * 127 + "y")


@pytest.mark.parametrize(
    "password",
    ["Augusta Lovelace", "augusta lovelace", "AUGUSTA LOVELACE", "Augusta Lovelace1", "12345Augusta Lovelace",
     "Augusta LovelaceAugusta Lovelace", "ada@acme.example", "ADA@ACME.EXAMPLE!", "xada@acme.examplex"],
)  # fmt: skip
def test_a_password_made_of_the_name_or_the_address_is_refused(password: str) -> None:
    assert "mail address or name" in refusal(password)


def test_a_password_made_of_the_addresss_first_part_is_refused() -> None:
    assert "mail address or name" in refusal("augustalovelace", email="augustalovelace@acme.example", name="Ada")


@pytest.mark.parametrize(
    "name",
    ["Stra\u00dfenmeister", "Dvo\u0159\u00e1k of Acme", "\u0414\u043c\u0438\u0442\u0440\u0438\u0439 of Acme"],
    ids=ascii,
)
def test_a_name_is_known_again_in_capitals_of_any_alphabet(name: str) -> None:
    assert "mail address or name" in refusal(name.upper(), name=name)


@pytest.mark.parametrize(
    "password", ["Augusta Lovelace and 6 more", "my friend is Augusta Lovelace", "correct horse battery staple"]
)
def test_a_name_within_a_long_password_is_no_reason_to_refuse_it(password: str) -> None:
    assert refusal(password) == ""


@pytest.mark.parametrize("name", ["", "A", "Ada"])
def test_a_short_name_may_be_anywhere(name: str) -> None:
    assert refusal("Ada and Adam, at A", name=name) == ""
