"""Users whose mail addresses look alike, on the deployed platform: one person in every form, two in other letters."""

import json
from typing import Any
from uuid import uuid4

import pytest

from tests.e2e.conftest import Reply, Wire

PASSWORD = "the password of somebody"


def posted(url: str, path: str, body: dict[str, Any]) -> Reply:
    return Wire(url).send("POST", path, json.dumps(body).encode(), content_type="application/json")


def sign_up(url: str, email: str, password: str = PASSWORD) -> Reply:
    body = {"email": email, "password": password, "name": "Sam", "organization": {"name": f"Of {uuid4().hex}"}}
    return posted(url, "/api/v1/auth/signup", body)


def log_in(url: str, email: str, password: str = PASSWORD) -> Reply:
    return posted(url, "/api/v1/auth/login", {"email": email, "password": password})


@pytest.mark.parametrize(
    ("letters", "otherwise"),
    [("andr\u00e9", "ANDRE\u0301"), ("\u0130pek", "i\u0307pek"), ("stra\u1e9ee", "STRA\u00dfE"), ("\ufb01n", "FIN")],
    ids=ascii,
)
def test_a_user_is_the_same_in_every_form_of_their_address(api_url: str, letters: str, otherwise: str) -> None:
    mark = uuid4().hex[:10]
    wide = "".join(chr(ord(letter) + 0xFEE0) for letter in mark)
    made = sign_up(api_url, f"{letters}-{mark}@look.example")
    assert made.status == 201, made.body
    for form in (f"{otherwise}-{mark}@look.example", f"{letters}-{wide}@LOOK.example"):
        came = log_in(api_url, form)
        assert (ascii(form), came.status) == (ascii(form), 200)
        assert came.json["user"]["id"] == made.json["user"]["id"]
    taken = sign_up(api_url, f"{otherwise}-{mark}@look.example")
    assert (taken.status, taken.json["code"]) == (409, "email-taken")


def test_a_homoglyph_is_somebody_else(api_url: str) -> None:
    mark = uuid4().hex[:10]
    latin, cyrillic = f"paypal-{mark}@look.example", f"p\u0430yp\u0430l-{mark}@look.example"
    first, second = sign_up(api_url, latin), sign_up(api_url, cyrillic, "another password of somebody")
    assert (first.status, second.status) == (201, 201)
    assert first.json["user"]["id"] != second.json["user"]["id"]
    assert log_in(api_url, cyrillic).status == log_in(api_url, latin, "another password of somebody").status == 401
    assert log_in(api_url, latin).json["user"]["email"] == latin


def test_a_domain_with_a_dot_at_its_end_makes_no_second_user(api_url: str) -> None:
    email = f"sam-{uuid4().hex[:10]}@look.example"
    assert sign_up(api_url, email).status == 201
    for dotted in (f"{email}.", f"{email}\uff0e"):
        assert sign_up(api_url, dotted).status == 422
        assert log_in(api_url, dotted).status == 401
