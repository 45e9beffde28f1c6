"""What figures refuse."""

from tenant_context.errors import NotFound


class PlaceNotFound(NotFound):
    """No such site in this tenant."""

    code, title = "site-not-found", "There is no such site"
