"""What exports refuse, and what stops their making."""

from tenant_context.errors import Conflict, Forbidden, NotFound


class ExportNotFound(NotFound):
    """No such export in this tenant."""

    code, title = "export-not-found", "There is no such export"


class ExportUnderWay(Conflict):
    """One export of a tenant is made at a time."""

    code, title = "export-under-way", "An export is being made"


class ImportUnderWay(ExportUnderWay):
    """One import into a tenant goes on at a time."""

    code, title = "import-under-way", "An import is under way"


class IntoItself(Conflict):
    """An organization is not filled from an archive of its own."""

    code, title = "import-into-itself", "An organization cannot be filled from its own archive"


class ExportNotReady(Conflict):
    """There is no archive (yet, or any more) to load down."""

    code, title = "export-not-ready", "There is no archive to load down"


class Busy(Exception):
    """Another copy of the work has it; this one goes back to the queue until that has ended."""


class Abandoned(Exception):
    """The export was deleted while it was made: there is nothing more to do."""


class UploadLost(Exception):
    """S3 knows the upload no more."""


class NotFilled(Exception):
    """A tenant cannot be filled from an archive, and trying again would not help; its text is for people to read."""


class NotEmpty(NotFilled):
    """The tenant that was to be filled has rows already."""


class Damaged(NotFilled):
    """An archive is not what its manifest says."""


class NotOurs(NotFilled):
    """An archive that was not made here, or not as it is now."""


class ArchiveGone(NotFilled):
    """There is no such archive (any more)."""


class NotOwned(NotFound):
    """Not an organization that the caller owns, or none at all: the same answer."""

    code, title = "organization-not-found", "There is no such organization of yours"


class OwnersFill(Forbidden):
    """Only an owner fills an organization."""

    code, title = "owners-only", "Only an owner may do this"
