"""Log-ins by a provider that must not come off: replayed, mixed up, begun by another, sent elsewhere."""

from urllib.parse import urlencode

import pytest

from local.demo.api import wait_for
from tests.e2e.houses import BACK, CALLBACK, House
from tests.e2e.providers import query_of


def test_an_answer_of_the_provider_is_good_once(house: House) -> None:
    url, login = house.at_provider(house.somebody())
    back = house.come_back(url)
    code = query_of(back.headers["location"])["code"]
    assert house.come_back(url).json["code"] == "sign-on-ended"
    assert house.finish(code, login).status == 200
    replayed = house.finish(code, login)
    assert (replayed.status, replayed.json["code"]) == (401, "sign-on-ended")


def test_nobody_finishes_a_log_in_that_another_began(house: House) -> None:
    """The thief starts a log-in and sends the victim there; or gets hold of the victim's code."""
    url, _ = house.at_provider(house.somebody())
    code = query_of(house.come_back(url).headers["location"])["code"]
    thiefs = house.start().json["login"]
    refused = house.finish(code, thiefs)
    assert (refused.status, refused.json["code"]) == (401, "sign-on-ended")


def test_a_providers_code_of_another_log_in_is_not_taken(house: House) -> None:
    """PKCE and the nonce: a code that was injected belongs to another verifier."""
    stolen = query_of(house.at_provider(house.somebody())[0])
    own = query_of(house.at_provider(house.somebody())[0])
    mixed = {**own, "code": stolen["code"]}
    refused = house.come_back(f"{house.stack.api_url}{CALLBACK}?{urlencode(mixed)}")
    assert (refused.status, refused.json["code"]) == (422, "login-refused")


@pytest.mark.parametrize("issuer", ["https://evil.example", "", "http://127.0.0.1:1"])
def test_an_answer_of_another_issuer_is_not_taken(house: House, issuer: str) -> None:
    found = query_of(house.at_provider(house.somebody())[0])
    mixed = {**found, "iss": issuer}
    refused = house.come_back(f"{house.stack.api_url}{CALLBACK}?{urlencode(mixed)}")
    assert (refused.status, refused.json["code"]) == (422, "login-refused")


@pytest.mark.parametrize(
    "query",
    ["", "?state=", "?state=x&code=y", "?error=access_denied", "?state=" + "x" * 3000, "?code=%00", "?state=%ff"],
)
def test_a_callback_that_nobody_began_is_refused(house: House, query: str) -> None:
    refused = house.come_back(house.stack.api_url + CALLBACK + query)
    assert 400 <= refused.status < 500


def test_a_log_in_that_the_provider_refused_is_told(house: House) -> None:
    state = query_of(house.start().json["authorization_url"])["state"]
    asked = {"state": state, "error": "access_denied", "iss": house.provider.issuer}
    refused = house.come_back(f"{house.stack.api_url}{CALLBACK}?{urlencode(asked)}")
    assert (refused.status, refused.json["code"]) == (422, "login-refused")


@pytest.mark.parametrize(
    "where",
    [
        "https://evil.example/",
        BACK + "/../evil",
        BACK + "?next=https://evil.example",
        BACK + "#x",
        BACK.upper(),
        "//app.acme.example/signed-in",
        "javascript:alert(1)",
        "https://app.acme.example@evil.example/signed-in",
    ],
)
def test_people_are_sent_back_to_addresses_of_the_organization_alone(house: House, where: str) -> None:
    refused = house.start(return_to=where)
    assert (refused.status, refused.json["errors"][0]["pointer"]) == (422, "/return_to")


@pytest.mark.parametrize(
    "url",
    [
        "http://evil.example/",
        "javascript:alert(1)",
        "https://a@b.example/",
        "https://x.example/#f",
        "data:,x",
        "ftp://x.example",
        "https://x.example/\\",
        "https://",
        "x",
    ],
)
def test_what_is_no_plain_address_is_none_to_send_people_to(house: House, url: str) -> None:
    assert house.configure(return_urls=[url]).status == 422


@pytest.mark.parametrize(
    "issuer",
    [
        "http://169.254.169.254",
        "https://10.0.0.1",
        "http://127.0.0.1:1",
        "https://[::1]/",
        "https://localhost:444",
        "file:///etc/passwd",
        "http://2130706433/",
    ],
)
def test_a_provider_nowhere_or_inside_is_refused(house: House, issuer: str) -> None:
    refused = house.configure(issuer=issuer)
    assert refused.status == 422, refused.body
    assert "169.254" not in refused.json.get("detail", "").replace(issuer, "")


def test_a_wrong_client_secret_logs_nobody_in(house: House) -> None:
    assert house.configure(client_secret="wrong").status == 200
    refused = house.log_in(house.somebody())
    assert (refused.status, refused.json["code"]) == (422, "login-refused")
    assert "invalid_client" in refused.json["detail"]


def test_nobody_becomes_owner_by_a_provider(house: House) -> None:
    refused = house.configure(default_role="owner")
    assert (refused.status, refused.json["code"]) == (403, "owners-only")
    unknown = house.configure(role_claim="groups", role_map={"x": "nobody"})
    assert (unknown.status, unknown.json["code"]) == (422, "unknown-role")


def test_a_provider_that_turned_its_keys_is_believed_again(house: House) -> None:
    assert house.log_in(house.somebody()).status == 200
    house.provider.rotate()
    wait_for("the new key", lambda: house.log_in(house.somebody()).status == 200, seconds=30)
