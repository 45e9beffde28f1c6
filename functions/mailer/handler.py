"""Wires the mailer function. A mail is sent at least once: SQS may deliver its message again."""

from dataclasses import dataclass

from shared.mail import rules
from shared.mail.gateway import Ses
from shared.mail.model import Kind
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message, QueueEntry
from tenant_context.kernel import Kernel
from tenant_context.settings import Settings


@dataclass(frozen=True)
class MailSettings(Settings):
    """What this function needs beside the common settings."""

    mail_from: str


kernel = Kernel("mailer")
ses = Ses(MailSettings.load().mail_from)


def send(_tenant: TenantContext, message: Message) -> None:
    """Send one mail."""
    kind = Kind(message.kind)
    if kind is not Kind.NOBODY:
        ses.send(message.data["to"], rules.write(kind, message.data["values"]))


handler = QueueEntry(send, observability=kernel.observability)
