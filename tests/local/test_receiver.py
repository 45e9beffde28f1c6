"""The webhook receiver keeps, judges and misbehaves as told."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from standardwebhooks import Webhook

SECRET = "whsec_" + base64.b64encode(b"a secret of the tests, 32 bytes.").decode()
BODY = json.dumps({"type": "campaign.launched", "note": "<script>"})


@pytest.fixture
def receiver(start_receiver: Callable[[], str]) -> str:
    return start_receiver()


def signed(secret: str = SECRET) -> dict[str, str]:
    moment = datetime.now(UTC)
    signature = Webhook(secret).sign("msg_1", moment, BODY)
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": signature,
        "content-type": "application/json",
    }


def setting(receiver: str, **settings: Any) -> None:
    assert requests.put(f"{receiver}/_control/paths/acme", json=settings, timeout=10).ok


def send(receiver: str, **headers: str) -> requests.Response:
    url = f"{receiver}/hooks/acme"
    return requests.post(url, data=BODY, headers=headers or signed(), timeout=5, allow_redirects=False)


def last(receiver: str) -> dict[str, Any]:
    answer: dict[str, Any] = requests.get(f"{receiver}/requests?path=/hooks/acme", timeout=10).json()["requests"][-1]
    return answer


def test_a_request_is_kept_as_it_came(receiver: str) -> None:
    send(receiver, **{"X-Tenant": "acme"})
    kept = last(receiver)
    assert (kept["method"], kept["body"], kept["headers"]["x-tenant"]) == ("POST", BODY, "acme")
    assert kept["verified"] is None


def test_a_good_signature_verifies(receiver: str) -> None:
    setting(receiver, secret=SECRET)
    send(receiver)
    assert last(receiver)["verified"] is True


def test_during_a_rotation_either_secret_verifies(receiver: str) -> None:
    other = "whsec_" + base64.b64encode(b"another secret of these tests...").decode()
    setting(receiver, secrets=[other, SECRET])
    send(receiver)
    assert last(receiver)["verified"] is True


def test_a_foreign_signature_does_not_verify(receiver: str) -> None:
    setting(receiver, secret="whsec_" + base64.b64encode(b"stranger").decode())
    send(receiver)
    assert (last(receiver)["verified"], last(receiver)["reason"]) == (False, "No matching signature found")


def test_misbehaviour_lasts_as_long_as_told(receiver: str) -> None:
    setting(receiver, status=503, times=2)
    assert [send(receiver).status_code for _ in range(3)] == [503, 503, 200]


def test_how_a_path_behaves_does_not_change_its_secrets(receiver: str) -> None:
    setting(receiver, secret=SECRET)
    setting(receiver, status=503, times=1)
    assert send(receiver).status_code == 503
    assert last(receiver)["verified"] is True
    setting(receiver, secrets=[])
    send(receiver)
    assert last(receiver)["verified"] is None


def test_a_redirect_names_its_place(receiver: str) -> None:
    setting(receiver, status=307, location="http://169.254.169.254/")
    assert send(receiver).headers["Location"] == "http://169.254.169.254/"


def test_a_connection_can_be_closed_without_an_answer(receiver: str) -> None:
    setting(receiver, close=True)
    with pytest.raises(requests.ConnectionError):
        send(receiver)
    assert last(receiver)["answered"] is None


def test_a_slow_answer_is_slow(receiver: str) -> None:
    setting(receiver, delay=0.4)
    assert send(receiver).elapsed.total_seconds() >= 0.4


def test_clearing_forgets_one_path_only(receiver: str) -> None:
    send(receiver)
    requests.post(f"{receiver}/hooks/globex", data="x", timeout=5)
    requests.delete(f"{receiver}/_control/paths/acme", timeout=5)
    kept = requests.get(receiver, headers={"Accept": "application/json"}, timeout=5).json()
    assert [request["path"] for request in kept["requests"]] == ["/hooks/globex"]


def test_the_page_shows_what_arrived_and_escapes_it(receiver: str) -> None:
    send(receiver)
    page = requests.get(receiver, timeout=5).text
    assert "campaign.launched" in page
    assert "<script>" not in page


def test_an_unknown_setting_is_refused(receiver: str) -> None:
    assert requests.put(f"{receiver}/_control/paths/acme", json={"stauts": 500}, timeout=5).status_code == 400


def test_a_challenge_is_answered_unless_told_otherwise(receiver: str) -> None:
    asked: Any = {"type": "webhook.verification", "data": {"challenge": "c_1"}}
    assert requests.post(f"{receiver}/hooks/acme", json=asked, timeout=5).text == "c_1"
    setting(receiver, challenge=False, body="no")
    assert requests.post(f"{receiver}/hooks/acme", json=asked, timeout=5).text == "no"
    assert requests.post(f"{receiver}/hooks/acme", data="[]", timeout=5).ok
