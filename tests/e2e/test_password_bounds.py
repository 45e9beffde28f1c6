"""The bounds of passwords at the deployed platform: counted in characters, whatever bytes those take."""

import json
from uuid import uuid4

import pytest

from tests.e2e.conftest import Reply, Wire

KEY, ACUTE = "\U0001f511", "\u00e9"


def posted(url: str, path: str, body: object) -> Reply:
    return Wire(url).send("POST", path, json.dumps(body).encode(), content_type="application/json")


def sign_up(url: str, email: str, password: str, name: str = "Sam") -> Reply:
    body = {"email": email, "password": password, "name": name, "organization": {"name": f"Of {uuid4().hex}"}}
    return posted(url, "/api/v1/auth/signup", body)


@pytest.mark.parametrize(("letter", "length"), [("x", 11), (KEY, 11), ("x", 129), (ACUTE, 129), (KEY, 129)], ids=ascii)
def test_a_password_beyond_the_bounds_is_refused(api_url: str, letter: str, length: int) -> None:
    refused = sign_up(api_url, f"{uuid4().hex}@bounds.example", letter * length)
    assert (refused.status, refused.json["errors"][0]["pointer"]) == (422, "/password")


@pytest.mark.parametrize(("letter", "length"), [(ACUTE, 12), (KEY, 12), (KEY, 128)], ids=ascii)
def test_a_password_at_the_bounds_is_good_to_its_last_character(api_url: str, letter: str, length: int) -> None:
    email, password = f"{uuid4().hex}@bounds.example", letter * (length - 1) + "y"
    assert sign_up(api_url, email, password).status == 201
    for tried, status in ((password, 200), (letter * length, 401), (password[:-1], 401)):
        assert posted(api_url, "/api/v1/auth/login", {"email": email, "password": tried}).status == status


def test_the_name_is_no_password(api_url: str) -> None:
    refused = sign_up(api_url, f"{uuid4().hex}@bounds.example", "AUGUSTA LOVELACE", name="Augusta Lovelace")
    assert (refused.status, refused.json["code"], refused.json["errors"][0]["pointer"]) == (
        422, "weak-password", "/password",
    )  # fmt: skip
