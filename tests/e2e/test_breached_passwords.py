"""Breached passwords on the deployed platform: refused where they are set; a list that is silent stops nobody."""

import json
import urllib.request
from uuid import uuid4

import pytest

from local.outside.store import COMMON
from local.stack import Stack
from tests.e2e.conftest import Reply, newcomer
from tests.e2e.test_passwords import code_of, post


def control(stack: Stack, path: str, body: object) -> None:
    request = urllib.request.Request(  # noqa: S310  our own, on this machine
        f"{stack.outside_url}/_control/{path}", json.dumps(body).encode(), method="PUT"
    )
    with urllib.request.urlopen(request, timeout=10):  # noqa: S310
        pass


def sign_up(stack: Stack, password: str) -> Reply:
    mark = uuid4().hex[:12]
    body = {
        "email": f"somebody@{mark}.example",
        "password": password,
        "name": "Somebody",
        "organization": {"name": "Some", "slug": f"some-{mark}"},
    }
    return post(stack.api_url, "/api/v1/auth/signup", body)


def refused(reply: Reply) -> bool:
    return (reply.status, reply.json["code"], reply.json["errors"][0]["pointer"]) == (
        422, "breached-password", "/password",
    )  # fmt: skip


@pytest.mark.parametrize("password", COMMON)
def test_a_common_password_is_no_password(stack: Stack, password: str) -> None:
    assert refused(sign_up(stack, password))


def test_a_password_that_was_breached_is_refused_wherever_one_is_set(stack: Stack) -> None:
    password = f"breached-{uuid4().hex}"
    control(stack, "breached", {"password": password, "count": 3})
    somebody = newcomer(stack.api_url, "breached")
    body = {"current_password": somebody.user.password, "password": password}
    assert refused(post(stack.api_url, "/api/v1/auth/password", body, somebody.token))
    post(stack.api_url, "/api/v1/auth/password/forgot", {"email": somebody.user.email})
    code = code_of(stack, somebody.user.email, "Set a new password")
    assert refused(post(stack.api_url, "/api/v1/auth/password/reset", {"token": code, "password": password}))
    another = {"token": code, "password": f"{password}-not"}
    assert post(stack.api_url, "/api/v1/auth/password/reset", another).status == 204, "the code is as good as it was"


@pytest.mark.parametrize("how", [{"status": 503}, {"delay": 4.0}, {"body": "no list at all"}], ids=str)
def test_a_list_that_fails_stops_nobody(stack: Stack, how: dict[str, object]) -> None:
    control(stack, "misbehave/list", {"times": 1, **how})
    assert sign_up(stack, f"any-password-{uuid4().hex}").status == 201
