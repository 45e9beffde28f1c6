"""What SES tells of mails, by way of SNS: which addresses are not to be mailed again.

Source: Amazon SES Developer Guide, "Contents of event data that Amazon SES publishes to Amazon SNS".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parseaddr
from typing import Any
from uuid import UUID

from shared.inbox.model import NOBODY, Entry
from shared.inbox.rules import sns
from shared.inbox.rules.reading import json_object, moment
from tenant_context.errors import BadRequest

BOUNCE, COMPLAINT = "bounce", "complaint"
_LISTS = {BOUNCE: "bouncedRecipients", COMPLAINT: "complainedRecipients"}
_MOST = 100


@dataclass(frozen=True, slots=True)
class Unwanted:
    """Addresses that mails do not reach, or whose people do not want them; `why` is bounce or complaint."""

    addresses: tuple[str, ...]
    why: str
    at: datetime


def read(body: bytes) -> list[Entry]:
    """The one entry of a delivery. Errors: BadRequest, Unsigned."""
    message = sns.read(body)
    if message.kind != sns.NOTIFICATION:
        return [Entry(message.id, message.kind, f"topic/{message.topic}"[:255], message.sent_at, body)]
    told = _event(message)
    kind = _kind(told)
    if not kind:
        return [Entry(message.id, "note", f"topic/{message.topic}"[:255], message.sent_at, body)]
    mail = told.get("mail")
    mail = mail if isinstance(mail, dict) else {}
    name = mail.get("messageId")
    subject = f"mail/{name}"[:255] if isinstance(name, str) and name.isprintable() else "mail"
    return [Entry(message.id, f"mail.{kind}"[:255], subject, _at(told, kind, message), body, _tenant(mail))]


def unwanted(body: bytes) -> Unwanted | None:
    """Whom a delivery says not to mail again: hard bounces and complaints. Errors: BadRequest."""
    message = sns.read(body)
    told = _event(message) if message.kind == sns.NOTIFICATION else {}
    kind = _kind(told)
    about = told.get(kind)
    if kind not in _LISTS or not isinstance(about, dict) or not _is_final(kind, about):
        return None
    found = about.get(_LISTS[kind])
    listed = [one.get("emailAddress") for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    addresses = tuple(parseaddr(one)[1] for one in listed[:_MOST] if isinstance(one, str))
    return Unwanted(tuple(one for one in addresses if "@" in one), kind, _at(told, kind, message))


def _is_final(kind: str, about: Mapping[str, Any]) -> bool:
    """A bounce that comes again however often it is tried; a complaint that is one."""
    if kind == BOUNCE:
        return about.get("bounceType") == "Permanent"
    return about.get("complaintFeedbackType") != "not-spam"


def _event(message: sns.SnsMessage) -> dict[str, Any]:
    """The event in a message; nothing in SES's note that the topic was set up, which is plain text."""
    try:
        return json_object(message.message, "The message")
    except BadRequest:
        return {}


def _kind(told: Mapping[str, Any]) -> str:
    kind = told.get("eventType") or told.get("notificationType")
    return kind.lower() if isinstance(kind, str) and kind.isprintable() else ""


def _at(told: dict[str, Any], kind: str, message: sns.SnsMessage) -> datetime:
    about = told.get(kind)
    try:
        return moment(about, "timestamp") if isinstance(about, dict) else message.sent_at
    except BadRequest:
        return message.sent_at


def _tenant(mail: Mapping[str, Any]) -> UUID:
    """For whom it was sent, as the mailer noted on the mail itself."""
    tags = mail.get("tags")
    named = tags.get("tenant") if isinstance(tags, dict) else None
    try:
        return UUID(named[0]) if isinstance(named, list) and named else NOBODY
    except (ValueError, AttributeError, TypeError):
        return NOBODY
