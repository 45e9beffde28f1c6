"""Users' own accounts."""

from uuid import UUID

from functions.auth.schemas.signed_in import Password, Ticket, UserOut
from tenant_context.wire import Address, Email, In, Out


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

    current_password: Password
    password: Password


class EmailIn(In):
    """Your mail address from now on."""

    email: Email


class EmailChangedOut(Out):
    """Whether the address has changed; not before both codes were seen."""

    changed: bool


class MeOut(UserOut):
    """The user of the token."""

    email_confirmed: bool
    organization: UUID
    role: str
    permissions: list[str]
