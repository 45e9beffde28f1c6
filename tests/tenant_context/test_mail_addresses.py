"""Mail addresses that look alike: those of one mailbox have one form, those of different letters stay different."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tenant_context.wire import Email, In, mail_address, one_form

KEPT = "ada@acme.example"


def wide(text: str) -> str:
    """As East Asian keyboards write it."""
    return "".join(chr(ord(letter) + 0xFEE0) for letter in text)


@pytest.mark.parametrize(
    "typed",
    [KEPT.upper(), "Ada@Acme.Example", f" {KEPT}\n", f"\u3000{KEPT}\u3000", wide("ada") + "@acme.example", wide(KEPT),
     wide(KEPT.upper()), "\U0001d41a\U0001d41d\U0001d41a@acme.example", "\u24d0\u24d3\u24d0@acme.example",
     "\u00aada@acme.example"],
    ids=ascii,
)  # fmt: skip
def test_forms_of_the_same_letters_are_one_address(typed: str) -> None:
    assert mail_address(typed) == KEPT


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("andr\u00e9@x.example", "andre\u0301@x.example"),
        ("ANDR\u00c9@X.EXAMPLE", "andre\u0301@x.example"),
        ("n\u0303u\u0301@x.example", "\u00d1\u00da@x.example"),
        ("\u1e69@x.example", "s\u0307\u0323@x.example"),  # marks in whatever order
        ("\u0130pek@x.example", "I\u0307pek@x.example"),
        ("\u0130pek@x.example", "i\u0307pek@x.example"),
        ("stra\u00dfe@x.example", "STRA\u1e9eE@X.EXAMPLE"),
        ("\u212awik@x.example", "kwik@x.example"),  # the Kelvin sign
        ("\u212bsa@x.example", "\u00e5sa@x.example"),  # the Angstrom sign
        ("\ufb01n@x.example", "FIN@x.example"),
        ("\u017fam@x.example", "SAM@x.example"),  # the long s
        ("\u0436\u0443\u043a@x.example", "\u0416\u0423\u041a@X.EXAMPLE"),
    ],
    ids=ascii,
)
def test_however_a_letter_is_put_together_it_is_that_letter(one: str, other: str) -> None:
    assert mail_address(one) == mail_address(other) is not None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (KEPT, "\u0430da@acme.example"),  # Cyrillic
        (KEPT, "\u03b1da@acme.example"),  # Greek
        (KEPT, "ad\u0251@acme.example"),  # of phoneticians
        ("paypal@x.example", "payp\u0430l@x.example"),
        ("ipek@x.example", "\u0130pek@x.example"),
        ("ipek@x.example", "\u0131pek@x.example"),  # without its dot
        ("strasse@x.example", "stra\u00dfe@x.example"),
        ("andre@x.example", "andr\u00e9@x.example"),
        ("ada@x.example", "a\u200bda@x.example"),
        ("ada@x.example", "ada.@x.example"),
        ("ada@x.example", "a.da@x.example"),
        ("ada@x.example", "ada+till@x.example"),
    ],
    ids=ascii,
)
def test_another_letter_is_another_person(one: str, other: str) -> None:
    """Who reads the mails of one need not read the other's: whatever the eye says, they are two."""
    assert one_form(one) != one_form(other)
    assert mail_address(one) != mail_address(other)


@pytest.mark.parametrize(
    "text",
    ["ada@acme.example.", "ada@acme.example..", "ada@acme.example\uff0e", "ada@.example", "ada@acme", "@acme.example",
     "ada@\u0430cme.example", "ada@acme\u3002example", "ada@acme.example\x00", "ada@acme.example\r\nbcc: x@y.example",
     "a da@acme.example", "a\u3000da@acme.example", "ada@@acme.example", "ada\uff20mine@acme.example",
     "ada@[127.0.0.1]", "a" * 65 + "@x.example", "a@" + "b" * 255 + ".example", "", None, 7, ["ada@acme.example"]],
    ids=ascii,
)  # fmt: skip
def test_what_is_no_plain_address_is_none(text: object) -> None:
    assert mail_address(text) is None


class Sent(In):
    """A body with an address in it."""

    email: Email


GOOD = [
    KEPT,
    "ada.lovelace+till@mail.acme.example",
    "o'brien@acme.example",
    "a@b.co",
    "user_name-1@x-y.example",
    "!#$%&'*+/=?^_`{|}~-@acme.example",
    "\u0436\u0443\u043a@acme.example",
    "ada@xn--bcher-kva.example",
    "ada@acme.xn--p1ai",
    "ada@1acme.example",
    "a" * 64 + "@acme.example",
    "ada@" + "b" * 63 + ".example",
]
BAD = [
    "a,b..<x>@x..example",
    "ada..lovelace@acme.example",
    ".ada@acme.example",
    "ada.@acme.example",
    "<ada@acme.example>",
    "ada<b>@acme.example",
    "ada,b@acme.example",
    "ada;b@acme.example",
    "ada:b@acme.example",
    "ada(b)@acme.example",
    "ada[b]@acme.example",
    "ada\\b@acme.example",
    '"ada"@acme.example',
    "a da@acme.example",
    "ada@acme..example",
    "ada@.acme.example",
    "ada@acme.example.",
    "ada@-acme.example",
    "ada@acme-.example",
    "ada@acme.-example",
    "ada@acme.example-",
    "ada@acme_x.example",
    "ada@acme.e",
    "ada@acme",
    "ada@127.0.0.1",
    "ada@acme.123",
    "ada@b\u00fccher.example",
    "ada@" + "b" * 64 + ".example",
    "a" * 65 + "@acme.example",
    "\u0436" * 33 + "@acme.example",  # of two octets each
    "ada@" + "b.b" * 90 + ".example",
    "ada\u200b@acme.example",
    "ada\x7f@acme.example",
    "ada\ud800@acme.example",
    "ada@@acme.example",
    "@acme.example",
    "ada@",
    "",
]


@pytest.mark.parametrize("text", GOOD, ids=ascii)
def test_an_address_that_people_have_is_taken_at_every_door(text: str) -> None:
    assert mail_address(text) == Sent(email=text).email == text


@pytest.mark.parametrize("text", BAD, ids=ascii)
def test_what_no_mail_could_reach_is_refused_at_every_door(text: str) -> None:
    assert mail_address(text) is None
    with pytest.raises(ValidationError):
        Sent(email=text)


@given(st.text(max_size=40))
def test_the_one_form_is_one_form(text: str) -> None:
    once = one_form(text)
    assert one_form(once) == once


@given(st.from_regex(r"[a-zA-Z0-9]{1,20}@[a-zA-Z0-9]{1,20}\.example", fullmatch=True))
def test_plain_letters_have_no_case(address: str) -> None:
    assert mail_address(address.upper()) == mail_address(address) == address.lower()
