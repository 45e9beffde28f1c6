"""What places refuse."""

from tenant_context.errors import FieldError, Invalid, NotFound


class PlaceNotFound(NotFound):
    """No organization is at a host: nobody's name, an unverified domain and a closed organization are the same."""

    code, title = "no-organization-here", "No organization is at this host"


class CustomDomainNotFound(NotFound):
    """The organization has claimed no such domain."""

    code, title = "custom-domain-not-found", "There is no such custom domain"


class BadSetting(Invalid):
    """A value that the world does not know."""

    def __init__(self, pointer: str, code: str, message: str) -> None:
        super().__init__(errors=(FieldError(pointer, code, message),))


class DomainRefused(Invalid):
    """A domain that no organization can have."""

    def __init__(self, message: str) -> None:
        super().__init__(errors=(FieldError("/domain", "domain-refused", message),))
