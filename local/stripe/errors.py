"""Stripe's error object, as an exception that carries its HTTP status."""

from local.stripe.store import Obj


class StripeError(Exception):
    """An answer in Stripe's error shape; raising it rolls the request's changes back, unless told otherwise."""

    keeps_changes = False

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        decline_code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        fields = {"type": kind, "message": message, "code": code, "param": param, "decline_code": decline_code}
        self.body: Obj = {"error": {name: value for name, value in fields.items() if value is not None}}


def missing_parameter(name: str) -> StripeError:
    """A required parameter was not sent."""
    return StripeError(f"Missing required param: {name}.", code="parameter_missing", param=name)


def invalid(name: str, message: str) -> StripeError:
    """A parameter was sent and means nothing."""
    return StripeError(message, param=name)


def no_such(kind: str, identifier: str, *, param: str = "id", status: int = 404) -> StripeError:
    """An id that names nothing: 404 in the path, 400 in a parameter."""
    return StripeError(f"No such {kind}: '{identifier}'", status=status, code="resource_missing", param=param)


def card_declined(code: str) -> StripeError:
    """A payment that the issuer refused."""
    return StripeError(
        "Your card was declined.",
        status=402,
        kind="card_error",
        code="card_declined",
        decline_code=code,
    )
