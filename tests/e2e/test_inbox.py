"""What others post to the deployed platform: kept, worked on, seen and replayed by operators."""

import hashlib
import hmac
import json
import time
import urllib.request
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from local.demo.api import wait_for
from local.demo.tenants import SignedIn
from local.stack import Stack
from tests.e2e.conftest import Reply, Wire, newcomer
from tests.e2e.test_passwords import mails, post
from tests.functions.inbound.place import CERTIFICATE, SNS_HEADERS, Sns, google_keys, stamp

TOPIC = "arn:aws:sns:us-east-1:000000000000:rmap-local-mail-events"
FORGOTTEN = "Set a new password"


@dataclass
class Told:
    """SNS, as the deployed platform knows it."""

    stack: Stack
    sns: Sns
    certificate: str

    def post(self, message: object, **parts: str) -> Reply:
        told = self.sns.signed(TopicArn=TOPIC, Message=json.dumps(message), SigningCertURL=self.certificate, **parts)
        headers = {"content_type": SNS_HEADERS["content-type"]}
        body, replies = json.dumps(told).encode(), []

        def taken() -> bool:
            replies.append(Wire(self.stack.api_url).send("POST", "/api/v1/inbound/ses", body, **headers))
            return replies[-1].status != 503

        wait_for("the message to be taken: SNS tries again after a 503, too", taken)
        return replies[-1]


def put_page(stack: Stack, place: str, text: str) -> None:
    """Have the stand-in answer for an address."""
    address = f"{stack.outside_url}/_control/pages/{place}"
    request = urllib.request.Request(address, json.dumps({"text": text}).encode(), method="PUT")  # noqa: S310  our own
    urllib.request.urlopen(request, timeout=30).close()  # noqa: S310


@pytest.fixture
def told(stack: Stack) -> Told:
    sns, url = Sns(), CERTIFICATE.replace("0123456789abcdef0123456789abcdef", uuid4().hex)
    put_page(stack, url.removeprefix("https://"), sns.certificate())
    return Told(stack, sns, url)


def operate(stack: Stack, method: str, path: str, body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    reply = Wire(stack.api_url, stack.operator_secret).send(
        method, f"/api/v1/operator/{path}", data, content_type="application/json"
    )
    assert reply.status < 300, reply.body
    return reply.json


def entry_of(stack: Stack, source: str, external: str) -> dict[str, Any]:
    listed = operate(stack, "GET", f"inbox?source={source}&limit=200")["items"]
    (found,) = [one for one in listed if external in (one["external_id"], one["subject"])]
    entry: dict[str, Any] = found
    return entry


def bounced(address: str, tenant: str) -> dict[str, Any]:
    return {
        "eventType": "Bounce",
        "bounce": {
            "bounceType": "Permanent",
            "bouncedRecipients": [{"emailAddress": address}],
            "timestamp": stamp(),
        },
        "mail": {"messageId": "e2e", "tags": {"tenant": [tenant]}},
    }


def forgotten(stack: Stack, somebody: SignedIn) -> None:
    assert post(stack.api_url, "/api/v1/auth/password/forgot", {"email": somebody.user.email}).status == 202


def test_an_address_that_bounced_is_mailed_no_more_until_an_operator_lifts_it(stack: Stack, told: Told) -> None:
    gone, well = newcomer(stack.api_url, "bounces"), newcomer(stack.api_url, "reached")
    name = str(uuid4())
    reply = told.post(bounced(gone.user.email, gone.organization), MessageId=name)
    assert (reply.status, reply.json) == (200, {"received": True, "kept": 1, "repeated": 0})
    wait_for("the bounce", lambda: entry_of(stack, "ses", name)["state"] == "done")
    assert entry_of(stack, "ses", name)["organization"] == gone.organization
    assert operate(stack, "POST", "mail/suppressed", {"email": gone.user.email})["reason"] == "bounce"
    forgotten(stack, gone)
    forgotten(stack, well)
    wait_for("the other's mail", lambda: mails(stack, well.user.email, FORGOTTEN))
    assert mails(stack, gone.user.email, FORGOTTEN) == []
    assert not operate(stack, "POST", "mail/lift", {"email": gone.user.email})["suppressed"]
    operate(stack, "POST", f"inbox/{entry_of(stack, 'ses', name)['id']}/replay")
    wait_for("the replay", lambda: entry_of(stack, "ses", name)["state"] == "done")
    forgotten(stack, gone)
    wait_for("a mail again", lambda: mails(stack, gone.user.email, FORGOTTEN))


def test_a_message_that_comes_again_is_known_and_a_forged_one_refused(stack: Stack, told: Told) -> None:
    name, at = str(uuid4()), stamp()
    event = bounced(f"{uuid4().hex}@nowhere.example", "")
    assert told.post(event, MessageId=name, Timestamp=at).json["kept"] == 1
    wait_for("the bounce", lambda: entry_of(stack, "ses", name)["state"] == "done")
    assert told.post(event, MessageId=name, Timestamp=at).json == {"received": True, "kept": 0, "repeated": 1}
    forged = Told(stack, Sns(), told.certificate).post(event, MessageId=str(uuid4()))
    assert (forged.status, forged.json["code"]) == (400, "bad-signature")
    elsewhere = told.sns.signed(TopicArn=TOPIC + "2", Message="{}", SigningCertURL=told.certificate)
    body, kind = json.dumps(elsewhere).encode(), SNS_HEADERS["content-type"]
    reply = Wire(stack.api_url).send("POST", "/api/v1/inbound/ses", body, content_type=kind)
    assert (reply.status, reply.json["code"]) == (400, "topic-refused")


def test_what_ad_platforms_sign_is_kept_as_nobodys_yet(stack: Stack) -> None:
    agreed = json.loads(stack.client("secretsmanager").get_secret_value(SecretId="rmap/local/inbound")["SecretString"])
    wire, name, now = Wire(stack.api_url), uuid4().hex, int(time.time())
    challenge = wire.send(
        "GET",
        f"/api/v1/inbound/meta?hub.mode=subscribe&hub.challenge=1158&hub.verify_token={agreed['meta_verify_token']}",
    )
    assert (challenge.status, challenge.body) == (200, b"1158")
    lead = json.dumps({"object": "page", "entry": [{"id": name, "time": now, "changes": [{"field": "leadgen"}]}]})
    mac = hmac.new(agreed["meta_app_secret"].encode(), lead.encode(), hashlib.sha256).hexdigest()
    json_type = {"content_type": "application/json"}
    sent = {
        "meta": wire.send(
            "POST", "/api/v1/inbound/meta", lead.encode(), x_hub_signature_256=f"sha256={mac}", **json_type
        )
    }
    event = json.dumps({"client_key": "key", "event": "lead.generated", "create_time": now, "user_openid": name})
    mac = hmac.new(agreed["tiktok_client_secret"].encode(), f"{now}.{event}".encode(), hashlib.sha256).hexdigest()
    sent["tiktok"] = wire.send(
        "POST", "/api/v1/inbound/tiktok", event.encode(), tiktok_signature=f"t={now},s={mac}", **json_type
    )
    assert {source: (reply.status, reply.json["kept"]) for source, reply in sent.items()} == {
        "meta": (200, 1), "tiktok": (200, 1),
    }  # fmt: skip
    wait_for("the lead", lambda: entry_of(stack, "meta", f"page/{name}")["state"] == "ignored")
    wait_for("the event", lambda: entry_of(stack, "tiktok", f"account/{name}")["state"] == "ignored")
    assert entry_of(stack, "meta", f"page/{name}")["reason"].startswith("Nobody's yet")
    unsigned = wire.send("POST", "/api/v1/inbound/meta", lead.encode(), **json_type)
    assert (unsigned.status, unsigned.json["code"]) == (400, "unsigned")
    assert unsigned.headers["content-type"] == "application/problem+json"


def test_what_google_pushes_is_believed_by_its_keys(stack: Stack) -> None:
    import jwt  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415

    agreed = json.loads(stack.client("secretsmanager").get_secret_value(SecretId="rmap/local/inbound")["SecretString"])
    key, kid, now, name = rsa.generate_private_key(65537, 2048), uuid4().hex, int(time.time()), uuid4().hex
    put_page(stack, "www.googleapis.com/oauth2/v3/certs", google_keys(**{kid: key}))
    claims = {
        "iss": "https://accounts.google.com", "aud": agreed["google_audience"], "iat": now, "exp": now + 600,
        "email": agreed["google_service_account"], "email_verified": True,
    }  # fmt: skip
    body = {
        "message": {"messageId": name, "publishTime": stamp(), "data": ""},
        "subscription": "projects/p/subscriptions/s",
    }

    def push(token: str) -> Reply:
        headers = {"content_type": "application/json", "authorization": f"Bearer {token}"}
        return Wire(stack.api_url).send("POST", "/api/v1/inbound/google", json.dumps(body).encode(), **headers)

    token = jwt.encode(claims, key, algorithm="RS256", headers={"kid": kid})
    wait_for("the keys to be read anew", lambda: push(token).status == 200, seconds=30)
    wait_for("the push", lambda: entry_of(stack, "google", f"projects/p/subscriptions/s/{name}")["state"] == "ignored")
    stranger = jwt.encode(claims, rsa.generate_private_key(65537, 2048), algorithm="RS256", headers={"kid": kid})
    assert push(stranger).json["code"] == "bad-signature"


def test_what_stripe_tells_is_in_the_inbox_and_done(stack: Stack) -> None:
    since = stamp()[:10] + "T00:00:00Z"
    somebody = newcomer(stack.api_url, "pays")

    def done() -> bool:
        found = operate(stack, "GET", f"inbox?source=stripe&organization={somebody.organization}")["items"]
        return bool(found) and {one["state"] for one in found} == {"done"}

    wait_for("Stripe's events of the sign-up", done, seconds=120)
    assert operate(stack, "POST", "inbox/replay", {
        "since": since, "until": "2100-01-01T00:00:00Z", "organization": somebody.organization,
    })["replayed"] > 0  # fmt: skip
    wait_for("the replay", done, seconds=120)
