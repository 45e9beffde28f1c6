"""Signing keys in KMS: made there, never seen, and deleted thirty days after somebody asked for it."""

import base64
from dataclasses import dataclass

from tenant_context.aws import AwsClient, AwsError

ALGORITHM = "RS256"
TAG = "rmap:use"
USE = "signing"
_DAYS_UNTIL_DELETED = 30


@dataclass(frozen=True, slots=True)
class Made:
    """A fresh key and its public half (DER)."""

    kid: str
    arn: str
    public_key: bytes


class SigningKeys:
    """Makes and ends keys of one stage; the tags are what the right to use them hangs on."""

    def __init__(self, stage: str, client: AwsClient | None = None) -> None:
        self._stage = stage
        self._client = client or AwsClient("kms")

    def make(self) -> Made:
        """A new key."""
        tags = {TAG: USE, "rmap:stage": self._stage}
        answer = self._client.call(
            "CreateKey",
            {
                "Description": "Signs access tokens (RS256); its private part never leaves KMS.",
                "KeySpec": "RSA_2048",
                "KeyUsage": "SIGN_VERIFY",
                "Tags": [{"TagKey": name, "TagValue": value} for name, value in tags.items()],
            },
        )["KeyMetadata"]
        public = self._client.call("GetPublicKey", {"KeyId": answer["Arn"]})["PublicKey"]
        return Made(answer["KeyId"], answer["Arn"], base64.b64decode(public))

    def end(self, arn: str) -> None:
        """Disable a key and have it deleted; one that is on its way, or gone, is left alone."""
        try:
            state = self._client.call("DescribeKey", {"KeyId": arn})["KeyMetadata"]["KeyState"]
        except AwsError as error:
            if error.code == "NotFoundException":
                return
            raise
        if state != "PendingDeletion":
            self._client.call("DisableKey", {"KeyId": arn})
            self._client.call("ScheduleKeyDeletion", {"KeyId": arn, "PendingWindowInDays": _DAYS_UNTIL_DELETED})
