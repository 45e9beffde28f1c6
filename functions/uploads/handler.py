"""Wires the uploads function."""

from dataclasses import dataclass

from functions.uploads.routes import routes
from shared.uploads.gateway import Files
from shared.uploads.repository import UploadRepository
from shared.uploads.service.requests import Uploads
from tenant_context.clock import uuid7
from tenant_context.kernel import Kernel
from tenant_context.queues import Queue
from tenant_context.settings import Settings


@dataclass(frozen=True)
class UploadSettings(Settings):
    """What this function needs beside the common settings."""

    queue_uploads: str
    bucket_uploads: str


kernel = Kernel("uploads")
settings = UploadSettings.load()
database = kernel.database()
uploads = Uploads(UploadRepository(database), Files(settings.bucket_uploads), Queue(settings.queue_uploads).send, uuid7)
handler = kernel.http(routes, uploads, database=database, token=kernel.tokens())
