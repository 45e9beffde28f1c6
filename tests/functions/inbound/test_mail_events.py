"""SES through SNS: only what SNS signed for a topic of ours is believed; who bounces is not mailed again."""

import json
import sys
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.functions.billing.harness import Context, load, sample
from tests.functions.inbound.fixtures import TENANT
from tests.functions.inbound.place import CERTIFICATE, SNS_HEADERS, TOPIC, Place, Sns, stamp

GONE = "gone@acme.example"


def bounce(address: str = GONE, kind: str = "Permanent", *, at: str = "", tenant: object = TENANT) -> dict[str, Any]:
    return {
        "eventType": "Bounce",
        "bounce": {
            "bounceType": kind,
            "bounceSubType": "General",
            "bouncedRecipients": [{"emailAddress": address, "action": "failed", "status": "5.1.1"}],
            "timestamp": at or stamp(),
            "feedbackId": "0100-feedback",
        },
        "mail": {"messageId": "0100-mail", "destination": [address], "tags": {"tenant": [str(tenant)]}},
    }


def complaint(address: str = GONE, kind: str = "abuse") -> dict[str, Any]:
    return {
        "notificationType": "Complaint",
        "complaint": {
            "complainedRecipients": [{"emailAddress": address}],
            "complaintFeedbackType": kind,
            "timestamp": stamp(),
        },
        "mail": {"messageId": "0100-mail"},
    }


@pytest.fixture
def sent(place: Place, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """To whom the mailer handed a mail to SES, by its own gateway, since the test began."""
    found: list[str] = []

    class Client:
        def send_email(self, **asked: Any) -> None:
            assert asked["EmailTags"] == [{"Name": "tenant", "Value": str(TENANT)}]
            found.extend(asked["Destination"]["ToAddresses"])

    environment = {
        "RMAP_MAIL_FROM": "RMAP <no-reply@rmap.example>",
        "RMAP_TABLE_SUPPRESSIONS": place.worker.settings.table_suppressions,
        "RMAP_PEPPER_SECRET": place.worker.settings.pepper_secret,
    }
    load("mailer", environment, monkeypatch)
    module: Any = sys.modules["functions.mailer.handler"]
    module.ses._client = Client()
    return found


def mail(to: str) -> None:
    """Have the mailer send a mail to somebody."""
    event = sample("mailer/reset_password.json")
    message = json.loads(event["Records"][0]["body"])
    message["tenant"], message["data"]["to"] = str(TENANT), to
    event["Records"][0]["body"] = json.dumps(message)
    assert sys.modules["functions.mailer.handler"].handler(event, Context()) == {"batchItemFailures": []}


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_hard_bounce_that_sns_signed_ends_the_mails_to_its_address(
    place: Place, sent: list[str], version: str
) -> None:
    mail(GONE)
    assert sent == [GONE]
    answer = place.post("ses", json.dumps(place.sns.signed(version, Message=json.dumps(bounce()))), SNS_HEADERS)
    assert (answer["status"], answer["kept"]) == (200, 1)
    assert place.work() == []
    mail("  Gone@Acme.Example ")
    assert sent == [GONE], "however it is written"
    mail("ada@acme.example")
    assert sent == [GONE, "ada@acme.example"]
    assert place.rows() == [("ses", "mail.bounce", "done")]


def test_a_complaint_ends_the_mails_and_no_spam_after_all_does_not(place: Place) -> None:
    place.ses(complaint())
    place.ses(complaint("pleased@acme.example", "not-spam"))
    place.work()
    assert place.suppressed(GONE)
    assert not place.suppressed("pleased@acme.example")


@pytest.mark.parametrize(
    "told",
    [
        bounce(kind="Transient"),
        bounce(kind="Undetermined"),
        {"eventType": "Delivery", "delivery": {"recipients": [GONE], "timestamp": "2026-03-02T09:00:00Z"}, "mail": {}},
        {"eventType": "Bounce", "bounce": {"bounceType": "Permanent"}},
        {"eventType": "Bounce", "bounce": {"bounceType": "Permanent", "bouncedRecipients": [{}, 5, "x"]}},
        {"eventType": "Bounce", "bounce": "Permanent"},
        {"eventType": ["Bounce"]},
        {"mail": 5},
        [],
        "Successfully validated SNS topic for Amazon SES event publishing.",
    ],
)
def test_what_tells_of_no_hard_bounce_is_kept_and_suppresses_nobody(place: Place, told: object) -> None:
    assert place.ses(told)["status"] == 200
    assert place.work() == []
    ((_, _, state),) = place.rows()
    assert state in {"ignored", "done"}
    assert not place.suppressed(GONE)


def test_the_list_and_the_inbox_hold_no_address_that_can_be_read(place: Place) -> None:
    place.ses(bounce())
    place.work()
    assert all(GONE.encode() not in bytes(body) for (body,) in place.rows("SELECT body FROM inbox"))
    told = str(place.rows("SELECT source, external_id, kind, subject, reason FROM inbox"))
    assert "acme" not in told
    dynamodb = place.worker.registry["ses"].work._suppressions._table._client
    scanned = dynamodb.call("Scan", {"TableName": place.worker.settings.table_suppressions})
    assert "acme" not in json.dumps(scanned)
    assert "address#" in json.dumps(scanned)


def test_it_is_the_tenants_that_the_mail_was_for_and_the_platforms_where_there_was_none(place: Place) -> None:
    nobody = UUID(int=0)
    for tenant in (TENANT, nobody, "no id", UUID(int=7)):
        place.ses(bounce(tenant=tenant))
    assert [row[0] for row in place.rows("SELECT tenant_id FROM inbox ORDER BY id")] == [TENANT, nobody, nobody, nobody]


def test_a_message_that_comes_again_is_worked_on_once(place: Place) -> None:
    body = json.dumps(place.sns.signed(Message=json.dumps(bounce())))
    first = place.post("ses", body, SNS_HEADERS)
    second = place.post("ses", body, SNS_HEADERS)
    assert (first["kept"], second["kept"]) == (1, 1), "the worker is told again of what still waits"
    place.work()
    third = place.post("ses", body, SNS_HEADERS)
    assert (third["kept"], third["repeated"]) == (0, 1)
    assert place.rows("SELECT state, tries FROM inbox") == [("done", 1)]


def test_an_address_that_was_lifted_stays_lifted_whatever_older_comes_late(place: Place) -> None:
    place.ses(bounce(at=stamp(timedelta(minutes=-30))))
    place.work()
    assert place.suppressed(GONE)
    assert not place.order("mail/lift", {"email": GONE})["suppressed"]
    place.ses(bounce(at=stamp(timedelta(minutes=-20))))
    place.order("inbox/replay", {"since": stamp(timedelta(days=-1)), "until": stamp(timedelta(days=1))})
    place.work()
    assert not place.suppressed(GONE)
    place.ses(bounce(at=stamp(timedelta(minutes=1))))
    place.work()
    assert place.suppressed(GONE), "a newer bounce counts"


def test_what_is_known_of_a_persons_address_goes_with_the_person(place: Place) -> None:
    user = UUID(int=0xADA)
    with place.clone.connect() as admin:
        admin.execute(
            "INSERT INTO users (user_id, email, name, password_hash, created_at, updated_at)"
            " VALUES (%s, %s, 'Ada', 'none', now(), now())",
            (user, GONE),
        )
    place.ses(bounce(tenant=UUID(int=0)))
    place.work()
    assert place.suppressed(GONE)
    place.worker.registry["ses"].work._suppressions.forget(user)
    assert not place.suppressed(GONE)


def test_a_subscription_of_our_topic_is_confirmed_at_sns(place: Place) -> None:
    address = f"https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=2336412f37"
    place.strangers.pages["sns.us-east-1.amazonaws.com/"] = "<ConfirmSubscriptionResponse/>"
    told = place.sns.signed(Type="SubscriptionConfirmation", SubscribeURL=address, Token="2336412f37", Message="Hello")
    assert place.post("ses", json.dumps(told), SNS_HEADERS)["status"] == 200
    assert place.work() == []
    assert place.strangers.asked[-1] == address.removeprefix("https://")
    assert place.rows() == [("ses", "SubscriptionConfirmation", "done")]


@pytest.mark.parametrize(
    "address",
    [
        "https://sns.us-east-1.amazonaws.com.evil.example/?Action=ConfirmSubscription&TopicArn={topic}&Token=1",
        "https://evil.example/?Action=ConfirmSubscription&TopicArn={topic}&Token=1",
        "http://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn={topic}&Token=1",
        "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn={topic}&Token=1",
        "https://sns.us-east-1.amazonaws.com/?Action=DeleteTopic&TopicArn={topic}&Token=1",
        "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn={topic}x&Token=1",
        "https://sns.us-east-1.amazonaws.com@evil.example/?Action=ConfirmSubscription&TopicArn={topic}&Token=1",
    ],
)
def test_nothing_else_is_asked_though_sns_signed_it(place: Place, address: str) -> None:
    told = place.sns.signed(
        Type="SubscriptionConfirmation", SubscribeURL=address.format(topic=TOPIC), Token="1", Message="Hello"
    )
    answer = place.post("ses", json.dumps(told), SNS_HEADERS)
    assert (answer["status"], answer["code"]) == (400, "bad-signature")
    assert place.strangers.asked == []
    assert place.rows() == []


def changed(place: Place, **parts: str) -> dict[str, str]:
    return {**place.sns.signed(Message=json.dumps(bounce())), **parts}


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ({"Message": "{}"}, "bad-signature"),
        ({"MessageId": "another"}, "bad-signature"),
        ({"Subject": "added"}, "bad-signature"),
        ({"Signature": "c2FtcGxl"}, "bad-signature"),
        ({"Signature": "not base64!"}, "bad-signature"),
        ({"Signature": ""}, "unsigned"),
        ({"SignatureVersion": "1"}, "bad-signature"),
        ({"SignatureVersion": "3"}, "bad-signature"),
        ({"SigningCertURL": ""}, "unsigned"),
        ({"SigningCertURL": CERTIFICATE.replace("https", "http")}, "bad-signature"),
        ({"SigningCertURL": CERTIFICATE.replace("amazonaws.com", "amazonaws.com.evil.example")}, "bad-signature"),
        ({"SigningCertURL": CERTIFICATE.replace("sns.", "evil.example/sns.")}, "bad-signature"),
        ({"SigningCertURL": CERTIFICATE.replace("us-east-1", "eu-west-1")}, "bad-signature"),
        ({"SigningCertURL": CERTIFICATE.replace("amazonaws.com", "amazonaws.com.cn")}, "bad-signature"),
        ({"SigningCertURL": CERTIFICATE + "?"}, "bad-signature"),
        ({"SigningCertURL": CERTIFICATE.replace("0123", "9999")}, "bad-signature"),
        ({"TopicArn": TOPIC + "2"}, "topic-refused"),
        ({"TopicArn": "arn:aws:sns:us-east-1:999999999999:rmap-test-mail-events"}, "topic-refused"),
        ({"Timestamp": stamp(timedelta(hours=-3))}, "stale-delivery"),
        ({"Timestamp": stamp(timedelta(hours=1))}, "stale-delivery"),
        ({"Type": "Other"}, "bad-request"),
        ({"Timestamp": "yesterday"}, "bad-request"),
    ],
)
def test_what_sns_did_not_sign_for_us_lately_is_refused(place: Place, how: dict[str, str], code: str) -> None:
    answer = place.post("ses", json.dumps(changed(place, **how)), SNS_HEADERS)
    assert (answer["status"], answer["code"]) == (400, code)
    assert answer["media"] == "application/problem+json"
    assert place.rows() == []


def test_a_stale_message_is_refused_although_it_is_signed(place: Place) -> None:
    assert place.ses(bounce(), Timestamp=stamp(timedelta(hours=-3)))["code"] == "stale-delivery"


def test_a_message_under_somebody_elses_key_is_refused(place: Place) -> None:
    answer = place.post("ses", json.dumps(Sns().signed(Message=json.dumps(bounce()))), SNS_HEADERS)
    assert (answer["status"], answer["code"]) == (400, "bad-signature")


@pytest.mark.parametrize("days", [(-9, -1), (1, 9)], ids=["expired", "not yet"])
def test_a_certificate_that_is_not_valid_now_is_not_believed(place: Place, days: tuple[int, int]) -> None:
    place.strangers.pages[CERTIFICATE.removeprefix("https://")] = place.sns.certificate(days=days)
    assert place.ses(bounce())["code"] == "bad-signature"


def test_a_short_key_is_not_believed(place: Place) -> None:
    weak = Sns(rsa.generate_private_key(65537, 1024))  # noqa: S505  that is the point
    place.strangers.pages[CERTIFICATE.removeprefix("https://")] = weak.certificate()
    answer = place.post("ses", json.dumps(weak.signed(Message=json.dumps(bounce()))), SNS_HEADERS)
    assert answer["code"] == "bad-signature"


@pytest.mark.parametrize("page", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"])
def test_what_is_no_certificate_proves_nothing(place: Place, page: str) -> None:
    place.strangers.pages[CERTIFICATE.removeprefix("https://")] = page
    assert place.ses(bounce())["code"] == "bad-signature"


def test_while_the_certificate_cannot_be_had_the_sender_is_asked_to_try_again(place: Place) -> None:
    place.strangers.status = 503
    answer = place.ses(bounce())
    assert (answer["status"], answer["code"]) == (503, "unavailable")
    place.strangers.status = 200
    assert place.ses(bounce())["status"] == 200


def test_a_certificate_is_fetched_once_and_not_at_anybodys_bidding(place: Place) -> None:
    for _ in range(3):
        place.ses(bounce())
    assert len(place.strangers.asked) == 1
    codes = []
    for number in range(40):
        url = CERTIFICATE.replace("0123456789abcdef0123456789abcdef", f"{number:032x}")
        codes.append(place.post("ses", json.dumps(changed(place, SigningCertURL=url)), SNS_HEADERS)["status"])
    assert codes[-1] == 503
    assert len(place.strangers.asked) <= 30
    assert place.ses(bounce())["status"] == 200, "whose certificate is known is not held up"
