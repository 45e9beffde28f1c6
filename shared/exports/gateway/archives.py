"""Archives in S3, put there part by part; boto3, which S3's own protocol needs, is imported by what uses it."""

# ruff: noqa: PLC0415  boto3 costs a start 150 ms, which listing exports need not pay

from collections.abc import Sequence
from contextlib import closing, suppress
from typing import Any
from uuid import UUID

from shared.exports.errors import ArchiveGone, UploadLost

PAGE = 500


def key_of(tenant: UUID, export: UUID) -> str:
    """The object of an archive: whatever is a tenant's begins with its id."""
    return f"{tenant}/{export}.tar"


class Uploads:
    """Archives that are being made, for who empties the bucket."""

    def __init__(self, archives: "Archives") -> None:
        self._archives = archives

    def page(self, tenant: UUID, after: Any) -> tuple[list[Any], Any]:
        """Some of a tenant's uploads, and where the next page begins."""
        return self._archives.uploads(tenant, after)

    def delete(self, keys: Sequence[Any]) -> None:
        """Give uploads up."""
        for key, upload in keys:
            self._archives.give_up(key, upload)


class Archives:
    """The bucket of archives."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket
        self._made: Any = None

    @property
    def _s3(self) -> Any:
        if self._made is None:
            import boto3
            from botocore.config import Config

            # Parts are judged by the SHA-256 of the signature; another checksum would be of the same bytes.
            settings = Config(signature_version="s3v4", request_checksum_calculation="when_required",
                              response_checksum_validation="when_required")  # fmt: skip
            self._made = boto3.client("s3", config=settings)
        return self._made

    def begin(self, key: str) -> str:
        """Begin an upload; answers its id."""
        made = self._s3.create_multipart_upload(Bucket=self._bucket, Key=key, ContentType="application/x-tar")
        return str(made["UploadId"])

    def put_part(self, key: str, upload: str, number: int, content: bytes) -> str:
        """Put a part; one that is there is replaced. Errors: UploadLost."""
        try:
            answer = self._s3.upload_part(
                Bucket=self._bucket, Key=key, UploadId=upload, PartNumber=number, Body=content
            )
        except self._s3.exceptions.NoSuchUpload as error:
            raise UploadLost from error
        return str(answer["ETag"])

    def complete(self, key: str, upload: str, etags: Sequence[tuple[int, str]], size: int) -> None:
        """Put the parts together; nothing to do when that was done. Errors: UploadLost."""
        parts = [{"PartNumber": number, "ETag": etag} for number, etag in etags]
        try:
            self._s3.complete_multipart_upload(
                Bucket=self._bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": parts}
            )
        except self._s3.exceptions.NoSuchUpload as error:
            if self._size(key) != size:
                raise UploadLost from error

    def _size(self, key: str) -> int:
        found = self._s3.list_objects_v2(Bucket=self._bucket, Prefix=key, MaxKeys=1).get("Contents", [])
        return int(found[0]["Size"]) if found else -1

    def remove(self, tenant: UUID, key: str, upload: str = "") -> None:
        """Delete an archive of a tenant's own, and give up what was put of it; nothing there is no error.

        Errors: ValueError for what is another's: whoever asks for that is wrong, whatever a row says.
        """
        if not key.startswith(f"{tenant}/"):
            raise ValueError("The archive is not of the tenant for whom it was to be removed.")
        if upload:
            self.give_up(key, upload)
        self._s3.delete_object(Bucket=self._bucket, Key=key)

    def read(self, key: str, start: int = 0) -> Any:
        """An archive as a stream, from a byte on to its end. Errors: ArchiveGone."""
        try:
            return self._s3.get_object(Bucket=self._bucket, Key=key, Range=f"bytes={start}-")["Body"]
        except self._s3.exceptions.NoSuchKey as error:
            raise ArchiveGone("There is no such archive.") from error

    def tail(self, key: str, length: int) -> bytes:
        """The last bytes of an archive, or all of it where it has no more. Errors: ArchiveGone."""
        try:
            body = self._s3.get_object(Bucket=self._bucket, Key=key, Range=f"bytes=-{length}")["Body"]
        except self._s3.exceptions.NoSuchKey as error:
            raise ArchiveGone("There is no such archive.") from error
        with closing(body):
            return bytes(body.read())

    def link(self, key: str, name: str, seconds: int) -> str:
        """An address by which anybody can load the archive down for some time."""
        given = {"Bucket": self._bucket, "Key": key, "ResponseContentDisposition": f'attachment; filename="{name}"'}
        return str(self._s3.generate_presigned_url("get_object", Params=given, ExpiresIn=seconds))

    def page(self, tenant: UUID, after: Any) -> tuple[list[Any], Any]:
        """Some keys of a tenant's objects, and where the next page begins (None: there is none)."""
        more = {"StartAfter": after} if after else {}
        answer = self._s3.list_objects_v2(Bucket=self._bucket, Prefix=f"{tenant}/", MaxKeys=PAGE, **more)
        keys = [found["Key"] for found in answer.get("Contents", [])]
        return keys, keys[-1] if answer.get("IsTruncated") else None

    def delete(self, keys: Sequence[Any]) -> None:
        """Delete objects by their keys."""
        for key in keys:
            self._s3.delete_object(Bucket=self._bucket, Key=key)

    def uploads(self, tenant: UUID, after: Any) -> tuple[list[Any], Any]:
        """Some of a tenant's uploads that are not complete, as key and id, and where the next page begins."""
        more = {"KeyMarker": after[0], "UploadIdMarker": after[1]} if after else {}
        answer = self._s3.list_multipart_uploads(Bucket=self._bucket, Prefix=f"{tenant}/", MaxUploads=PAGE, **more)
        found = [[upload["Key"], upload["UploadId"]] for upload in answer.get("Uploads", [])]
        return found, found[-1] if found and answer.get("IsTruncated") else None

    def give_up(self, key: str, upload: str) -> None:
        """End an upload: what was put of it goes, and it cannot be completed; one that has ended is no error."""
        with suppress(self._s3.exceptions.NoSuchUpload):
            self._s3.abort_multipart_upload(Bucket=self._bucket, Key=key, UploadId=upload)

    def close(self) -> None:
        """Drop the connections."""
        if self._made is not None:
            self._made.close()
            self._made = None
