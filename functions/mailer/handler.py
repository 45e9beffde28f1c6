"""Wires the mailer function. A mail is sent at least once: SQS may deliver its message again."""

from dataclasses import dataclass

from shared.mail import rules
from shared.mail.gateway import Ses
from shared.mail.model import Kind
from shared.mail.repository import Suppressions
from tenant_context.context import TenantContext
from tenant_context.dynamo import Table
from tenant_context.entry.queue import Message, QueueEntry
from tenant_context.kernel import Kernel
from tenant_context.secrets import secret
from tenant_context.settings import Settings


@dataclass(frozen=True)
class MailSettings(Settings):
    """What this function needs beside the common settings."""

    mail_from: str
    table_suppressions: str
    pepper_secret: str


kernel = Kernel("mailer")
settings = MailSettings.load()
ses = Ses(settings.mail_from)
suppressions = Suppressions(Table(settings.table_suppressions), lambda: secret(settings.pepper_secret))


def send(tenant: TenantContext, message: Message) -> None:
    """Send one mail, unless its address bounced for good or its person complained of our mails."""
    kind = Kind(message.kind)
    if kind is Kind.NOBODY:
        return
    to = message.data["to"]
    if found := suppressions.find(to):
        kernel.observability.info("not mailed", reason=found.why, kind=kind)
        kernel.observability.count("MailsSuppressed")
        return
    ses.send(to, rules.write(kind, message.data["values"]), tenant=tenant.tenant)


handler = QueueEntry(send, observability=kernel.observability)
