"""Sending to SQS: batches of ten, one tenant a message group so that a busy tenant holds back only itself."""

from collections.abc import Sequence

from tenant_context.aws import AwsClient, AwsError
from tenant_context.entry.queue import Message

_BATCH_ENTRIES = 10
_BATCH_BYTES = 1_000_000
"""SQS takes 1 MiB a call, all entries together."""


class Queue:
    """One SQS queue."""

    def __init__(self, url: str, client: AwsClient | None = None) -> None:
        self._url = url
        self._client = client or AwsClient("sqs")

    def send(self, messages: Sequence[Message], *, delay_seconds: int = 0) -> None:
        """Send all of them or raise `AwsError`; some may then be there, so receivers drop duplicates."""
        self.send_each([(message, delay_seconds) for message in messages])

    def send_each(self, messages: Sequence[tuple[Message, int]]) -> None:
        """The same, each with its own delay in seconds."""
        bodies = [(message.encode(), str(message.tenant), delay) for message, delay in messages]
        batch: list[dict[str, object]] = []
        size = 0
        for body, group, delay in bodies:
            if batch and (len(batch) == _BATCH_ENTRIES or size + len(body) > _BATCH_BYTES):
                self._send(batch)
                batch, size = [], 0
            batch.append(
                {
                    "Id": str(len(batch)),
                    "MessageBody": body.decode(),
                    "MessageGroupId": group,
                    "DelaySeconds": delay,
                }
            )
            size += len(body)
        if batch:
            self._send(batch)

    def _send(self, batch: list[dict[str, object]]) -> None:
        answer = self._client.call("SendMessageBatch", {"QueueUrl": self._url, "Entries": batch})
        if failed := answer.get("Failed"):
            raise AwsError(str(failed[0].get("Code")), str(failed[0].get("Message")), 500)
