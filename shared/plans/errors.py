"""What plans and grants refuse."""

from tenant_context.errors import Conflict, FieldError, Invalid, NotFound


class OrganizationUnknown(NotFound):
    """Not the caller's organization, or none at all: the same answer."""

    code, title = "organization-not-found", "There is no such organization"


class OrganizationClosed(Conflict):
    """Nothing is given to an organization that is closed for good."""

    code, title = "organization-closed", "The organization is closed for good"


class GrantNotFound(NotFound):
    """The tenant has no such grant, or it was taken back."""

    code, title = "grant-not-found", "There is no such grant"


class NothingToGrant(Invalid):
    """A name that is neither a limit nor a feature, or an amount where none belongs."""

    def __init__(self, pointer: str, message: str) -> None:
        super().__init__(errors=(FieldError(pointer, "not-grantable", message),))
