"""Mails leave through SES."""

from typing import Any
from uuid import UUID

import boto3

from shared.mail.model import Mail


class Ses:
    """Sends mails in our name."""

    def __init__(self, sender: str, client: Any = None) -> None:
        self._sender = sender
        self._client = client or boto3.client("sesv2")

    def send(self, to: str, mail: Mail, *, tenant: UUID) -> None:
        """Hand one mail to SES; raises botocore's ClientError where it is refused.

        SES notes the tenant on the mail, and says it with whatever it tells of the mail later.
        """
        self._client.send_email(
            FromEmailAddress=self._sender,
            Destination={"ToAddresses": [to]},
            EmailTags=[{"Name": "tenant", "Value": str(tenant)}],
            Content={
                "Simple": {
                    "Subject": {"Data": mail.subject, "Charset": "UTF-8"},
                    "Body": {
                        "Text": {"Data": mail.text, "Charset": "UTF-8"},
                        "Html": {"Data": mail.html, "Charset": "UTF-8"},
                    },
                }
            },
        )
