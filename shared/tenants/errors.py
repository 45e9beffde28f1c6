"""What a tenant refuses."""

from tenant_context.errors import NotFound


class OrganizationNotFound(NotFound):
    """Not the organization of the caller's token, or none at all: the same answer."""

    code, title = "organization-not-found", "There is no such organization"
