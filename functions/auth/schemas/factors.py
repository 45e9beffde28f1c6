"""What users prove themselves with beside the password."""

from typing import Self

from pydantic import model_validator

from functions.auth.schemas.passkeys import PasskeyOut, RegistrationIn
from functions.auth.schemas.sign_in import PasskeyAnswerIn
from functions.auth.schemas.signed_in import Code, Password, Ticket, TokensOut
from tenant_context.wire import In, Name, Out


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
