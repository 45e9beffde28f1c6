"""Files in S3, where whoever has them puts them, and the messages that their pieces become."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from shared.exports.errors import UploadLost
from shared.exports.gateway.archives import Archives
from shared.sensors.gateway import BatchQueue
from shared.sensors.model import Refused
from shared.uploads.errors import Gone, UploadIncomplete
from shared.uploads.model import LINK_SECONDS, TYPES, Links, UploadId, Wanted
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message

_RANGE = 8 * 1024 * 1024
"""Bytes of one request; in between rows are sent, which no open connection waits for."""
_BLOCK = 1024 * 1024
_OF_A_MESSAGE = 400_000
"""Bytes of refused rows' contents in one message, which takes a megabyte with all that is around them."""


def key_of(tenant: UUID, upload: UploadId) -> str:
    """The object of a file: whatever is a tenant's begins with its id."""
    return f"{tenant}/{upload}"


class Files(Archives):
    """The bucket of files."""

    def expect(self, key: str, wanted: Wanted) -> str | None:
        """Get ready for a file: the id of what its parts are put to, where it comes in several."""
        if len(wanted.lengths) == 1:
            return None
        made = self._s3.create_multipart_upload(Bucket=self._bucket, Key=key, ContentType=TYPES[wanted.form])
        return str(made["UploadId"])

    def links(self, key: str, wanted: Wanted, upload: str | None, now: datetime) -> Links:
        """Addresses that take exactly the bytes that were announced, of the type that was."""
        parts = []
        for number, length in enumerate(wanted.lengths, start=1):
            about: dict[str, Any] = {"Bucket": self._bucket, "Key": key, "ContentLength": length}
            if upload is None:
                url = self._sign("put_object", {**about, "ContentType": TYPES[wanted.form]})
            else:
                url = self._sign("upload_part", {**about, "UploadId": upload, "PartNumber": number})
            parts.append({"number": number, "bytes": length, "url": url})
        headers = {"content-type": TYPES[wanted.form]} if upload is None else {}
        return Links(parts, headers, now + timedelta(seconds=LINK_SECONDS))

    def _sign(self, call: str, values: dict[str, Any]) -> str:
        return str(self._s3.generate_presigned_url(call, Params=values, ExpiresIn=LINK_SECONDS))

    def whole(self, key: str, wanted: Wanted, upload: str | None) -> str:
        """Put the parts together, where there are several; answers the version that the file then is.

        Done before, it answers the same. Errors: UploadIncomplete, for what is not there or not as long as announced.
        """
        if upload is not None:
            self._join(key, wanted, upload)
        found = self._found(key)
        if found is None:
            raise UploadIncomplete("The file was not put yet.")
        etag, size = found
        if size != wanted.bytes:
            self._s3.delete_object(Bucket=self._bucket, Key=key)
            raise UploadIncomplete(f"The file has {size} bytes and was announced with {wanted.bytes}; put it anew.")
        return etag

    def _join(self, key: str, wanted: Wanted, upload: str) -> None:
        try:
            found = self._s3.list_parts(Bucket=self._bucket, Key=key, UploadId=upload).get("Parts", [])
        except self._s3.exceptions.NoSuchUpload:
            return  # they were put together before, or given up
        there = {int(part["PartNumber"]): (str(part["ETag"]), int(part["Size"])) for part in found}
        expected = dict(enumerate(wanted.lengths, start=1))
        wrong = [number for number, length in expected.items() if there.get(number, ("", -1))[1] != length]
        if wrong:
            named = ", ".join(map(str, wrong))
            raise UploadIncomplete(f"Of {len(expected)} parts these are not there as announced: {named}.")
        try:
            self.complete(key, upload, [(number, there[number][0]) for number in expected], wanted.bytes)
        except UploadLost as error:
            raise UploadIncomplete("The parts were given up, as they took too long; begin another upload.") from error

    def _found(self, key: str) -> tuple[str, int] | None:
        listed = self._s3.list_objects_v2(Bucket=self._bucket, Prefix=key, MaxKeys=1).get("Contents", [])
        return (str(listed[0]["ETag"]), int(listed[0]["Size"])) if listed else None

    def blocks(self, key: str, start: int, size: int, etag: str) -> Iterator[bytes]:
        """The bytes of a file from one on, in blocks. Errors: Gone, where it is not there, or another."""
        while start < size:
            until = min(start + _RANGE, size)
            content = self._range(key, start, until, etag)
            for place in range(0, len(content), _BLOCK):
                yield content[place : place + _BLOCK]
            start = until

    def _range(self, key: str, start: int, until: int, etag: str) -> bytes:
        from botocore.exceptions import ClientError  # noqa: PLC0415  see Archives

        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=key, Range=f"bytes={start}-{until - 1}", IfMatch=etag)
            return bytes(answer["Body"].read())
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in {"NoSuchKey", "404"}:
                raise Gone("The file is not there any more; upload it again.") from error
            if code in {"PreconditionFailed", "412", "InvalidRange"}:
                raise Gone("The file was replaced by another while it was read; upload it again.") from error
            raise


class Gathered:
    """Messages that wait to be sent together."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def send(self, messages: Sequence[Message]) -> None:
        """Keep them."""
        self.messages += messages


class PieceQueue(BatchQueue):
    """Makes one message of a piece, whatever of it is refused: sent or not sent, but never in halves.

    Rows are numbered by their place in the file, which begins at `first`. A file is no sign of life of its sensors.
    """

    part_bytes = part_refusals = part_refused_bytes = part_doubled = 10**9

    def __init__(self, gathered: Gathered, kind: str, first: int) -> None:
        super().__init__(gathered, kind)
        self._first = first

    def send(
        self,
        tenant: TenantContext,
        batch: UUID,
        received_at: datetime,
        rows: Sequence[bytes],
        refused: Sequence[Refused],
        duplicates: int,
        beats: Sequence[bytes] = (),
        doubled: Sequence[bytes] = (),
    ) -> None:
        """Gather the piece."""
        del beats
        placed = [replace(one, row=one.row + self._first) for one in refused]
        self.kept_content = min(BatchQueue.kept_content, _OF_A_MESSAGE // max(1, len(placed)))
        super().send(tenant, batch, received_at, rows, placed, duplicates, (), doubled)
