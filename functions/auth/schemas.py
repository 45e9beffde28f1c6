"""The wire's shapes of identity."""

from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, IPvAnyNetwork, RootModel, StringConstraints, model_validator

from functions.auth.credentials import AssertionIn, PasskeyOut, RegistrationIn
from shared.identity.model import ApiKey, Challenge, Membership, Session, SignedIn, SignUp, Tokens
from tenant_context.clock import rfc3339
from tenant_context.wire import Address, Email, In, Moment, Name, Out

Password = Annotated[str, StringConstraints(min_length=1, max_length=1024, pattern=r"^[^\x00]*$")]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9](?:-?[a-z0-9]){2,62}$")]
Organization = Annotated[str, StringConstraints(min_length=1, max_length=64)]


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


Code = Annotated[str, StringConstraints(min_length=6, max_length=40)]


class VerifyIn(In):
    """The second step of a log-in: its challenge, and a code of the authenticator app or a recovery code."""

    challenge: Annotated[str, StringConstraints(max_length=200)]
    code: Code


Ticket = Annotated[str, StringConstraints(min_length=1, max_length=100)]


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


class PasskeyIn(In):
    """A new passkey's answer, and what its user calls it."""

    ticket: Ticket
    credential: RegistrationIn
    name: Name


class StepUpIn(In):
    """A code or a passkey where there is a second factor, else the password."""

    password: Password | None = None
    code: Code | None = None
    passkey: PasskeyAnswerIn | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if [self.password, self.code, self.passkey].count(None) != 2:  # noqa: PLR2004  all but one
            raise ValueError("send `passkey`, `code` or `password`")
        return self


class CodeIn(In):
    """A code of the authenticator app."""

    code: Code


class JoinIn(In):
    """The code of an invitation."""

    token: Ticket


class JoinAnewIn(JoinIn):
    """The code of an invitation, of somebody who is no user yet."""

    name: Name
    password: Password


class ConfirmIn(In):
    """The code of a mail."""

    token: Ticket


class ForgotIn(In):
    """Whose password is forgotten."""

    email: Address


class ResetIn(In):
    """The code of a mail, and the new password."""

    token: Ticket
    password: Password


class PasswordIn(In):
    """The present password, and the new one."""

    present: Password
    password: Password


class EmailIn(In):
    """Your mail address from now on."""

    email: Email


class EmailChangedOut(Out):
    """Whether the address has changed; not before both codes were seen."""

    changed: bool


class RefreshIn(In):
    """A refresh token."""

    refresh_token: Annotated[str, StringConstraints(max_length=500)]


class SwitchIn(In):
    """The organization to go to: a slug or an id."""

    organization: Organization


class UserOut(Out):
    """A user."""

    id: UUID
    email: str
    name: str


class MeOut(UserOut):
    """The user of the token."""

    email_confirmed: bool


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


class ChallengeOut(Out):
    """A log-in that waits for its second step, at /api/v1/auth/login/verify."""

    challenge: str
    methods: list[str]
    expires_in: int


class LoggedInOut(RootModel[SignedInOut | ChallengeOut]):
    """Tokens; or, where the user has a second factor, the challenge that asks for it."""


class FactorsOut(Out):
    """What the user has beside the password."""

    totp: bool
    passkeys: int
    recovery_codes: int


class EnrollmentOut(Out):
    """What an authenticator app is set up with: the secret (base32), as a URI, as a QR code in SVG."""

    secret: str
    uri: str
    svg: str


class RecoveryCodesOut(Out):
    """Recovery codes, each good once: in this answer and nowhere else."""

    recovery_codes: list[str]


class ConfirmedOut(TokensOut):
    """Recovery codes where there were none, and tokens of the session that now stands on two proofs."""

    recovery_codes: list[str]


class PasskeyAddedOut(ConfirmedOut):
    """The new passkey, with the same."""

    passkey: PasskeyOut


class SwitchedOut(TokensOut):
    """Tokens for another organization."""

    organization: OrganizationOut


class SessionOut(Out):
    """One log-in."""

    id: UUID
    created_at: str
    source_ip: str
    agent: str
    proofs: list[str]
    present: bool


class SessionsOut(Out):
    """The caller's living sessions in this organization."""

    items: list[SessionOut]


class ApiKeyIn(In):
    """A key to make: what it may do (`ingest.write` for sensors and tills) and until when."""

    name: Name
    scopes: Annotated[
        list[Annotated[str, StringConstraints(pattern=r"^[a-z]{2,30}\.([a-z]{2,30}|\*)$")]],
        Field(min_length=1, max_length=20),
    ]
    expires_at: Moment | None = None
    networks: Annotated[list[IPvAnyNetwork], Field(max_length=20)] = []
    """Where it may be used from, as CIDR writes networks; anywhere, when left out."""


class RotateIn(In):
    """For how many hours the key that is replaced goes on."""

    grace_hours: Annotated[int, Field(ge=0, le=24)] = 0


class ApiKeyOut(Out):
    """A key; `key` is in the answer to its making only."""

    prefix: str
    name: str
    scopes: list[str]
    created_at: str
    expires_at: str | None
    revoked: bool
    networks: list[str]
    last_used_at: str | None
    key: str | None = None


class ApiKeysOut(Out):
    """The organization's keys."""

    items: list[ApiKeyOut]


class JwksOut(Out):
    """RFC 7517 key set."""

    keys: list[dict[str, str]]


class DiscoveryOut(Out):
    """OpenID Connect discovery, as far as it applies."""

    issuer: str
    jwks_uri: str
    token_endpoint: str
    response_types_supported: list[str]
    subject_types_supported: list[str]
    id_token_signing_alg_values_supported: list[str]


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
        "status": value.status,
    }


def signed_in(value: SignedIn) -> dict[str, object]:
    """The answer's form of a sign-up or log-in."""
    user = {"id": value.user.id, "email": value.user.email, "name": value.user.name}
    where = organization(value.membership)
    return {"user": user, "organization": where, "device_token": value.device, **tokens(value.tokens)}


def logged_in(value: SignedIn | Challenge) -> dict[str, object]:
    """The answer's form of a log-in, finished or not."""
    if isinstance(value, Challenge):
        return {"challenge": value.token, "methods": list(value.methods), "expires_in": value.expires_in}
    return signed_in(value)


def session(value: Session, present: str) -> dict[str, object]:
    """The answer's form of a session."""
    return {
        "id": value.id,
        "created_at": rfc3339(value.created_at),
        "source_ip": value.source_ip,
        "agent": value.agent,
        "proofs": list(value.assurance.proofs),
        "present": str(value.id) == present,
    }


def api_key(value: ApiKey) -> dict[str, object]:
    """The answer's form of a key."""
    shown: dict[str, object] = {
        "prefix": value.prefix,
        "name": value.name,
        "scopes": list(value.scopes),
        "created_at": rfc3339(value.created_at),
        "expires_at": rfc3339(value.expires_at) if value.expires_at else None,
        "revoked": value.revoked,
        "networks": list(value.networks),
        "last_used_at": rfc3339(value.last_used_at) if value.last_used_at else None,
    }
    return {**shown, "key": value.text} if value.text else shown
