"""Who signed in, where, and with which tokens."""

from typing import Annotated
from uuid import UUID

from pydantic import StringConstraints

from shared.identity.model import Membership, SignedIn, Tokens
from tenant_context.states import shown
from tenant_context.wire import Out

Password = Annotated[str, StringConstraints(min_length=1, max_length=1024, pattern=r"^[^\x00]*$")]


Organization = Annotated[str, StringConstraints(min_length=1, max_length=64)]


Code = Annotated[str, StringConstraints(min_length=6, max_length=40)]


Ticket = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class UserOut(Out):
    """A user."""

    id: UUID
    email: str
    name: str


class OrganizationOut(Out):
    """The organization a token is for."""

    id: UUID
    slug: str
    name: str
    role: str
    status: str


class TokensOut(Out):
    """An access token (Bearer) with its refresh token; `expires_in` in seconds."""

    access_token: str
    refresh_token: str
    token_type: str
    expires_in: int


class SignedInOut(TokensOut):
    """A user, the organization and the tokens."""

    user: UserOut
    organization: OrganizationOut
    device_token: str


class SwitchedOut(TokensOut):
    """Tokens for another organization."""

    organization: OrganizationOut


def tokens(value: Tokens) -> dict[str, object]:
    """The answer's form of tokens."""
    return {
        "access_token": value.access_token,
        "refresh_token": value.refresh_token,
        "token_type": "Bearer",
        "expires_in": value.expires_in,
    }


def organization(value: Membership) -> dict[str, object]:
    """The answer's form of a membership."""
    return {
        "id": value.tenant,
        "slug": value.slug,
        "name": value.name,
        "role": value.role,
        "status": shown(value.status),
    }


def signed_in(value: SignedIn) -> dict[str, object]:
    """The answer's form of a sign-up or log-in."""
    user = {"id": value.user.id, "email": value.user.email, "name": value.user.name}
    where = organization(value.membership)
    return {"user": user, "organization": where, "device_token": value.device, **tokens(value.tokens)}
