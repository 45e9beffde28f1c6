"""The wire's common shapes: what is taken, in which form it is kept, and what is refused."""

from typing import Any

import msgspec
import pytest
from pydantic import ValidationError

from tenant_context.wire import In, Moment, Money, Name, Text


class Given(In):
    """One of each."""

    name: Name = "any"
    text: Text = ""
    money: Money | None = None
    at: Moment | None = None


def kept(**fields: Any) -> dict[str, Any]:
    """What a given body is kept as, on the wire again."""
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(dict(Given(**fields))))
    return found


@pytest.mark.parametrize(
    ("given", "shown"),
    [("0", "0.00"), ("12.5", "12.50"), ("12.50", "12.50"), ("007", "7.00"), ("999999999999.99", "999999999999.99")],
)
def test_money_is_kept_to_the_cent(given: str, shown: str) -> None:
    assert kept(money=given)["money"] == shown


@pytest.mark.parametrize(
    "given",
    [12.5, 12, True, "", " 1", "1 ", "-1", "-0", "+1", "1.", ".5", "1.234", "1e3", "1_000", "1,5", "NaN", "Infinity",
     "1\n", "1000000000000", "0x10", "\u0661\u0662"],
)  # fmt: skip
def test_what_is_no_amount_is_refused(given: object) -> None:
    with pytest.raises(ValidationError):
        kept(money=given)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("2026-03-02T09:00:00Z", "2026-03-02T09:00:00Z"),
        ("2026-03-02T10:00:00+01:00", "2026-03-02T09:00:00Z"),
        ("2026-03-02 09:00z", "2026-03-02T09:00:00Z"),
        ("2026-03-02T09:00:00.5Z", "2026-03-02T09:00:00.500000Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
    ],
)
def test_a_moment_is_kept_in_utc(given: str, shown: str) -> None:
    assert kept(at=given)["at"] == shown


@pytest.mark.parametrize(
    "given",
    [1, 1.5, "1", "1772442000", "2026-03-02", "2026-03-02T09:00:00", "2026-02-30T09:00:00Z", "2026-03-02T25:00:00Z",
     "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "2026-03-02T09:00:00+25:00", "20260302T090000Z", "now",
     "\uff12026-03-02T09:00:00Z", "", "P1D"],
)  # fmt: skip
def test_what_is_no_moment_is_refused(given: object) -> None:
    with pytest.raises(ValidationError):
        kept(at=given)


@pytest.mark.parametrize("given", ["", " ", "\t\n", "\u00a0\u2003", "a" * 256, "a\x00b", None, 1])
def test_what_is_no_name_is_refused(given: object) -> None:
    with pytest.raises(ValidationError):
        kept(name=given)


def test_a_name_is_kept_without_the_space_around_it() -> None:
    assert kept(name="  Main Street \n")["name"] == "Main Street"
    assert kept(name=" " + "a" * 255)["name"] == "a" * 255


@pytest.mark.parametrize("given", ["a" * 2001, "a\x00"])
def test_a_text_has_an_end_and_no_nul(given: str) -> None:
    with pytest.raises(ValidationError):
        kept(text=given)
