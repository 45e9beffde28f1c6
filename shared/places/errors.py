"""What places refuse."""

from datetime import datetime

from tenant_context.clock import rfc3339
from tenant_context.errors import Conflict, FieldError, Invalid, NotFound


class PlaceNotFound(NotFound):
    """No organization is at a host: nobody's name, an unverified domain and a closed organization are the same."""

    code, title = "no-organization-here", "No organization is at this host"


class CustomDomainNotFound(NotFound):
    """The organization has claimed no such domain."""

    code, title = "custom-domain-not-found", "There is no such custom domain"


class DomainContested(Conflict):
    """Its DNS says that it is the caller's; who held it has some days to say otherwise."""

    code, title = "domain-contested", "Another organization holds this domain for now"

    def __init__(self, free_at: datetime) -> None:
        super().__init__(
            "The organization that verified it before was told. Keep the challenge in DNS, and the other's out, and"
            f" verify again from {rfc3339(free_at)} on."
        )


class BadSetting(Invalid):
    """A value that the world does not know."""

    def __init__(self, pointer: str, code: str, message: str) -> None:
        super().__init__(errors=(FieldError(pointer, code, message),))


class DomainRefused(Invalid):
    """A domain that no organization can have."""

    def __init__(self, message: str) -> None:
        super().__init__(errors=(FieldError("/domain", "domain-refused", message),))
