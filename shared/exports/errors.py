"""What exports refuse, and what stops their making."""

from tenant_context.errors import Conflict, NotFound


class ExportNotFound(NotFound):
    """No such export in this tenant."""

    code, title = "export-not-found", "There is no such export"


class ExportUnderWay(Conflict):
    """One export of a tenant is made at a time."""

    code, title = "export-under-way", "An export is being made"


class ExportNotReady(Conflict):
    """There is no archive (yet, or any more) to load down."""

    code, title = "export-not-ready", "There is no archive to load down"


class Busy(Exception):
    """Another copy of the work has it; this one goes back to the queue until that has ended."""


class Abandoned(Exception):
    """The export was deleted while it was made: there is nothing more to do."""


class UploadLost(Exception):
    """S3 knows the upload no more."""


class NotEmpty(Exception):
    """The tenant that was to be filled has rows already."""


class Damaged(Exception):
    """An archive is not what its manifest says."""
