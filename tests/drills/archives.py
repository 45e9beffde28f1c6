"""Making archives in the drills, and reading what is in them."""

import gzip
import io
import json
import re
import tarfile
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from shared.exports.model import ExportId
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message
from tests.drills.conftest import worker_of
from tests.drills.places import Place

SMALL = 600
"""Bytes of a part: a handful of files each, where S3 here takes parts of any size."""


@dataclass
class Archive:
    manifest: dict[str, Any]
    files: dict[str, bytes]

    def rows(self, source: str) -> list[dict[str, Any]]:
        return [
            json.loads(line)
            for name in sorted(self.files)
            if name.startswith(f"{source}/")
            for line in gzip.decompress(self.files[name]).splitlines()
        ]


def asked(place: Place, tenant: TenantContext) -> ExportId:
    with place.database.transaction(tenant) as tx:
        return place.requests.create(tx)[0]


def message(tenant: TenantContext, kind: str, export: ExportId, **more: str) -> Message:
    return Message(tenant.tenant, "request", kind, {"export": str(export), **more})


def make(place: Place, tenant: TenantContext, export: ExportId) -> None:
    place.maker(part_bytes=SMALL).make(worker_of(tenant), message(tenant, "export", export))


def status(place: Place, tenant: TenantContext, export: ExportId) -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(place.requests.show(tenant, export))
    return shown


def content(place: Place, tenant: UUID, export: ExportId) -> bytes:
    found: bytes = place.s3.get_object(Bucket=place.bucket, Key=f"{tenant}/{export}.tar")["Body"].read()
    return found


def opened(whole: bytes) -> Archive:
    with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
        names = tar.getnames()
        assert names[-1] == "manifest.json"
        read = {name: tar.extractfile(name) for name in names}
        files = {name: stream.read() for name, stream in read.items() if stream is not None}
    return Archive(json.loads(files.pop("manifest.json")), files)


def bodies(place: Place, tenant: TenantContext, export: ExportId) -> bytes:
    """The archive's bytes but for what says which export it is: its id, and the seal over that."""
    whole = content(place, tenant.tenant, export)
    assert len(whole.split(str(export).encode())) == 2
    return re.sub(rb'"mac": "[0-9a-f]{64}"', b"sealed", whole).replace(str(export).encode(), b"which")
