"""Messages of Amazon SNS: what is signed of them, with which certificate, and whether it is.

Source: Amazon SNS Developer Guide, "Verifying the signatures of Amazon SNS messages".
"""

import base64
import binascii
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256

from shared.inbox.errors import SignatureRefused, TopicRefused, Unsigned
from shared.inbox.rules.reading import fresh, json_object, moment, text
from tenant_context.errors import BadRequest

NOTIFICATION = "Notification"
CONFIRMATION = "SubscriptionConfirmation"
END = "UnsubscribeConfirmation"
WINDOW = timedelta(hours=2)
"""SNS tries again for an hour at most."""
_SIGNED = {
    NOTIFICATION: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    CONFIRMATION: ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    END: ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
_TOPIC = re.compile(r"arn:(aws|aws-cn|aws-us-gov):sns:([a-z0-9-]{5,25}):([0-9]{12}):([A-Za-z0-9_-]{1,256}(?:\.fifo)?)")
_CERTIFICATE = re.compile(
    r"https://sns\.([a-z]{2}(?:-[a-z]+){1,3}-[0-9])\.amazonaws\.com(\.cn)?/SimpleNotificationService-[0-9a-f]{32}\.pem"
)
_CONFIRM = re.compile(r"https://sns\.([a-z]{2}(?:-[a-z]+){1,3}-[0-9])\.amazonaws\.com(\.cn)?/\?[\x21-\x7e]{1,2000}")
_SMALLEST_KEY = 2048


@dataclass(frozen=True, slots=True)
class SnsMessage:
    """A message that can be read; whether it is believed is another question."""

    kind: str
    id: str
    topic: str
    message: str
    sent_at: datetime
    version: str
    signature: bytes
    certificate_url: str
    confirm_url: str
    signed: bytes


def read(body: bytes) -> SnsMessage:
    """A message as it was posted. Errors: BadRequest, Unsigned."""
    told = json_object(body)
    kind = told.get("Type")
    if not isinstance(kind, str) or kind not in _SIGNED:
        raise BadRequest("Type is none of SNS's.")
    if not told.get("Signature") or not told.get("SigningCertURL"):
        raise Unsigned("It has no Signature, or no SigningCertURL.")
    parts = []
    for name in _SIGNED[kind]:
        value = told.get(name)
        if value is None and name == "Subject":
            continue
        if not isinstance(value, str):
            raise BadRequest(f"{name} is missing.")
        parts.append(f"{name}\n{value}\n")
    try:
        signature = base64.b64decode(told["Signature"], validate=True)
        signed = "".join(parts).encode()
    except (binascii.Error, ValueError, TypeError) as error:
        raise SignatureRefused("The Signature is none.") from error
    return SnsMessage(
        kind=kind,
        id=text(told, "MessageId"),
        topic=text(told, "TopicArn"),
        message=told["Message"],
        sent_at=moment(told, "Timestamp"),
        version=str(told.get("SignatureVersion")),
        signature=signature,
        certificate_url=str(told["SigningCertURL"]),
        confirm_url=str(told.get("SubscribeURL", "")),
        signed=signed,
    )


def check_origin(message: SnsMessage, topics: Collection[str], now: datetime) -> None:
    """Before anything is fetched: a topic of ours, of now, with a certificate of SNS itself in the topic's region.

    Errors: TopicRefused, Stale, SignatureRefused.
    """
    topic = _TOPIC.fullmatch(message.topic)
    if topic is None or message.topic not in topics:
        raise TopicRefused(f"{message.topic[:200]} is none of this deployment's topics.")
    fresh(message.sent_at, now, WINDOW)
    place = _CERTIFICATE.fullmatch(message.certificate_url)
    if place is None or place[1] != topic[2] or bool(place[2]) != (topic[1] == "aws-cn"):
        raise SignatureRefused("SigningCertURL is no certificate of SNS in the topic's region.")
    if message.version not in {"1", "2"}:
        raise SignatureRefused("SignatureVersion is neither 1 nor 2.")
    if message.kind == CONFIRMATION:
        _check_confirmation(message, topic[2])


def verify(message: SnsMessage, certificate: bytes, now: datetime) -> None:
    """Raise `SignatureRefused` unless the certificate's key signed the message, and may do so now."""
    try:
        found = x509.load_pem_x509_certificate(certificate)
        key = found.public_key()
    except ValueError as error:
        raise SignatureRefused("SigningCertURL leads to no certificate.") from error
    if not isinstance(key, RSAPublicKey) or key.key_size < _SMALLEST_KEY:
        raise SignatureRefused("The certificate's key is none that SNS signs with.")
    if not found.not_valid_before_utc <= now <= found.not_valid_after_utc:
        raise SignatureRefused("The certificate is not valid now.")
    algorithm = SHA1() if message.version == "1" else SHA256()  # noqa: S303  SNS's own version 1
    try:
        key.verify(message.signature, message.signed, PKCS1v15(), algorithm)
    except InvalidSignature as error:
        raise SignatureRefused("The Signature is not SNS's for this message.") from error


def is_certificate(url: str) -> bool:
    """Whether a certificate of SNS may be there."""
    return _CERTIFICATE.fullmatch(url) is not None


def is_confirmation(url: str) -> bool:
    """Whether asking an address confirms a subscription at SNS, and nothing else."""
    if _CONFIRM.fullmatch(url) is None:
        return False
    query = parse_qs(urlsplit(url).query)
    return query.keys() == {"Action", "TopicArn", "Token"} and query["Action"] == ["ConfirmSubscription"]


def _check_confirmation(message: SnsMessage, region: str) -> None:
    place = _CONFIRM.fullmatch(message.confirm_url)
    asked = parse_qs(urlsplit(message.confirm_url).query).get("TopicArn") if place else None
    if place is None or place[1] != region or asked != [message.topic] or not is_confirmation(message.confirm_url):
        raise SignatureRefused("SubscribeURL confirms nothing of this topic.")
