"""Log-in by an organization's identity provider."""

from typing import Annotated, Self

from pydantic import ConfigDict, StringConstraints, model_validator

from tenant_context.wire import Address, In, Out

Opaque = Annotated[str, StringConstraints(max_length=2048)]
Slug = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class SignOnIn(In):
    """Whose provider: of an organization by its slug, or of a mail address by its domain; and where to go after."""

    organization: Slug | None = None
    email: Address | None = None
    return_to: Annotated[str, StringConstraints(min_length=1, max_length=2048)]

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.organization is None) == (self.email is None):
            raise ValueError("send `organization` or `email`")
        return self


class SignOnOut(Out):
    """Where to send the browser; `login` is the application's to keep, and to show when the browser has come back."""

    authorization_url: str
    login: str


class CallbackQuery(In):
    """What a provider sends a browser back with; it may say more."""

    model_config = ConfigDict(extra="ignore")

    state: Opaque = ""
    code: Opaque = ""
    iss: Opaque = ""


class FinishIn(In):
    """The code that the browser came back with, and what the application kept."""

    code: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    login: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    device_token: Annotated[str, StringConstraints(max_length=200)] = ""
