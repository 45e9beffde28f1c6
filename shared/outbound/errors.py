"""Whom we do not call."""

from tenant_context.errors import FieldError, Invalid


class UrlRefused(Invalid):
    """The URL is not one that we may call."""

    code, title = "url-refused", "The URL is not one that we may call"

    def __init__(self, reason: str, field: str = "/url") -> None:
        super().__init__(f"The URL {reason}.", errors=(FieldError(field, "url-refused", reason),))
        self.reason = reason


class AddressRefused(Exception):
    """The host has an address that we may not reach; which one is nobody's business."""
