"""The wire's common shapes: what is taken, in which form it is kept, and what is refused."""

from typing import Annotated, Any

import msgspec
import pytest
from pydantic import BeforeValidator, ValidationError

from tenant_context.wire import In, Moment, Money, Name, Text, WebAddress, multiline_text


class Given(In):
    """One of each."""

    name: Name = "any"
    text: Text = ""
    footer: Annotated[str, BeforeValidator(multiline_text)] = ""
    url: WebAddress | None = None
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


UNSEEN = [
    *map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A)), *map(chr, range(0x2060, 0x2065)),
    "\u200b", "\u200e", "\u200f", "\u061c", "\u00ad", "\ufeff", "\u2028", "\u2029", "\u034f", "\u115f",
    "\u3164", "\u2800",
    "\ufff9", "\U000e0041", "\x07", "\x1b", "\x7f", "\x85", "\n", "\t",
]  # fmt: skip
"""What turns writing round, shows nothing, or rings a bell."""


@pytest.mark.parametrize("letter", UNSEEN, ids=lambda letter: f"U+{ord(letter):04X}")
def test_a_name_that_could_pass_for_another_is_refused_with_the_reason(letter: str) -> None:
    with pytest.raises(ValidationError) as refused:
        kept(name=f"Ac{letter}me")
    (error,) = refused.value.errors()
    assert (error["loc"], "invisible" in error["msg"]) == (("name",), True)


@pytest.mark.parametrize("given", ["\u200d", " \u200c ", "\u200c\u200d"])
def test_a_name_of_which_nothing_is_seen_is_refused(given: str) -> None:
    with pytest.raises(ValidationError, match="can be seen"):
        kept(name=given)


@pytest.mark.parametrize(
    "given",
    ["Straße 1", "Müller & Söhne", "株式会社アクメ", "שלום", "\u0645\u06cc\u200c\u062e\u0648", "क्\u200dष",
     "👩\u200d👩\u200d👧 Toys", "❤️",
     "e\u0301", "\U0001f1e9\U0001f1ea", "O'Neil", "\u00a0".join("ab")],
)  # fmt: skip
def test_names_of_the_world_are_names(given: str) -> None:
    assert kept(name=given)["name"] == given


def test_a_text_of_several_lines_may_have_lines_and_nothing_unseen() -> None:
    assert kept(footer="Imprint\n\tAcme\r\n")["footer"] == "Imprint\n\tAcme\r\n"
    for letter in "\u202e\u200b\x1b\x00":
        with pytest.raises(ValidationError):
            kept(footer=f"Im{letter}print")


@pytest.mark.parametrize(
    "given",
    ["https://acme.example", "https://acme.example/back?to=1#there", "https://xn--bcher-kva.example:8443/",
     "https://localhost/", "https://192.0.2.1/", "https://[2001:db8::1]:444/x", "https://ACME.example/"],
)  # fmt: skip
def test_an_address_of_https_with_a_host_is_taken(given: str) -> None:
    assert kept(url=given)["url"] == given


@pytest.mark.parametrize(
    "given",
    ["https://", "https:///x", "https://evil.example@acme.example", "https://acme.example:pw@evil.example/", "https://@x",
     "https://a\u202e.example", "https://a.example/\u202e", "https://é.example", "https://\x00", "https://x/\x00",
     "https://a.example/\n", "https://a.example\t", "https://a b.example", "https://[", "https://[::1", "https://a.example:x",
     "https://a.example:99999", "https://evil.example\\@acme.example", "https://a.example\\", "https://?x", "https://#x",
     "https://.", "https://a..b", "https://-a.example", "https://%61.example", "http://a.example", "HTTPS://a.example",
     "//a.example", "javascript:alert(1)", "https:a.example", " https://a.example", "https://a.example/" + "a" * 2000],
)  # fmt: skip
def test_an_address_that_is_not_what_it_seems_is_refused(given: str) -> None:
    with pytest.raises(ValidationError):
        kept(url=given)


def test_a_name_is_kept_without_the_space_around_it() -> None:
    assert kept(name="  Main Street \n")["name"] == "Main Street"
    assert kept(name=" " + "a" * 255)["name"] == "a" * 255


@pytest.mark.parametrize("given", ["a" * 2001, "a\x00"])
def test_a_text_has_an_end_and_no_nul(given: str) -> None:
    with pytest.raises(ValidationError):
        kept(text=given)
