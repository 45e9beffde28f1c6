"""What uploads refuse, and what ends the reading of one."""

from tenant_context.errors import Conflict, FieldError, Invalid, NotFound


class UploadNotFound(NotFound):
    """No such upload of this tenant."""

    code, title = "upload-not-found", "There is no such upload"


class NoSuchSensor(Invalid):
    """The file is to be read by the columns of a sensor that is not there."""

    code, title = "unknown-sensor", "There is no such sensor"

    def __init__(self) -> None:
        message = "no active sensor has this id or serial"
        super().__init__(errors=(FieldError("/sensor", "unknown-sensor", message),))


class TooManyUploads(Conflict):
    """As many are under way as may be."""

    code, title = "too-many-uploads", "Too many uploads are under way"


class UploadIncomplete(Conflict):
    """The file, or some of its parts, is not there yet, or not as it was announced."""

    code, title = "upload-incomplete", "The file is not there as it was announced"


class UploadOver(Conflict):
    """It expired, was cancelled or is at its end."""

    code, title = "upload-over", "The upload is over"


class Unreadable(Exception):
    """What follows in a file cannot be read; the message says why, for whoever uploaded it."""


class Gone(Unreadable):
    """The file is not in S3 (any more), or is another than the one that was completed."""


class Busy(Exception):
    """Another worker reads it."""


class Abandoned(Exception):
    """It was cancelled, another worker has it, or it is at its end: nothing is left to do here."""


class OnHold(Exception):
    """The plan takes no more rows for now; the message says until when."""
