"""Signing up, joining and logging in."""

from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, RootModel, StringConstraints

from functions.auth.schemas.passkeys import AssertionIn
from functions.auth.schemas.signed_in import Code, Organization, Password, SignedInOut, Ticket, signed_in
from shared.identity.model import Challenge, SignedIn, SignUp
from shared.names.rules import RESERVED_SLUGS
from tenant_context.wire import Address, Email, In, Name, Out


def _nobodys(slug: str) -> str:
    if slug in RESERVED_SLUGS:
        raise ValueError("is reserved; choose another")
    return slug


Slug = Annotated[
    str,
    StringConstraints(max_length=63, pattern=r"^[a-z0-9](?:-?[a-z0-9]){2,62}$"),
    AfterValidator(_nobodys),
]
"""A label of a subdomain: 3 to 63 of a-z, 0-9 and single hyphens inside, and no word that the platform keeps."""


class OrganizationIn(In):
    """The organization somebody signs up with."""

    name: Name
    slug: Slug | None = None
    plan: Annotated[str, StringConstraints(pattern="^(free|starter|professional|enterprise)$")] = "starter"


class SignUpIn(In):
    """Somebody who wants to start."""

    email: Email
    password: Password
    name: Name
    organization: OrganizationIn

    def sign_up(self) -> SignUp:
        """The domain's form."""
        return SignUp(
            email=self.email,
            password=self.password,
            name=self.name,
            organization=self.organization.name,
            slug=self.organization.slug,
            plan=self.organization.plan,
        )


class LogInIn(In):
    """A log-in; `organization` is a slug or an id, the first joined one when left out."""

    email: Address
    password: Password
    organization: Organization | None = None
    device_token: Annotated[str, StringConstraints(max_length=200)] = ""
    """What the last log-in on this device answered: it is then not kept waiting for what others try."""


class VerifyIn(In):
    """The second step of a log-in: its challenge, and a code of the authenticator app or a recovery code."""

    challenge: Annotated[str, StringConstraints(max_length=200)]
    code: Code


class PasskeyAnswerIn(In):
    """What a passkey was asked under, and what it answered."""

    ticket: Ticket
    credential: AssertionIn


class PasskeyAskIn(In):
    """The challenge of a log-in that waits for its second step; left out to log in by the passkey alone."""

    challenge: Annotated[str, StringConstraints(max_length=200)] | None = None


class PasskeyLogInIn(PasskeyAnswerIn):
    """A log-in by a passkey; `organization` and `device_token` as at a log-in, where it is no second step."""

    organization: Organization | None = None
    device_token: Annotated[str, StringConstraints(max_length=200)] = ""


class JoinIn(In):
    """The code of an invitation."""

    token: Ticket


class JoinAnewIn(JoinIn):
    """The code of an invitation, of somebody who is no user yet."""

    name: Name
    password: Password


class ChallengeOut(Out):
    """A log-in that waits for its second step, at /api/v1/auth/login/verify."""

    challenge: str
    methods: list[str]
    expires_in: int


class LoggedInOut(RootModel[Any]):
    """Tokens; or, where the user has a second factor, the challenge that asks for it."""

    # Not in the brackets above: those would be built at every start, as nothing defers them.
    model_config = ConfigDict(defer_build=True)

    root: SignedInOut | ChallengeOut


def logged_in(value: SignedIn | Challenge) -> dict[str, object]:
    """The answer's form of a log-in, finished or not."""
    if isinstance(value, Challenge):
        return {"challenge": value.token, "methods": list(value.methods), "expires_in": value.expires_in}
    return signed_in(value)
