"""What identity refuses."""

from tenant_context.errors import Conflict, FieldError, Forbidden, Invalid, NotFound, Unauthenticated


class WrongCredentials(Unauthenticated):
    """Unknown address or wrong password: never told apart."""

    code, title = "wrong-credentials", "The mail address or the password is wrong"


class SessionEnded(Unauthenticated):
    """The refresh token is not the newest of a living session."""

    code, title = "session-ended", "The session has ended; log in again"


class NoMembership(Forbidden):
    """The user does not belong to the organization named, or to any."""

    code, title = "no-membership", "You do not belong to this organization"


class EmailTaken(Conflict):
    """The mail address has a user already."""

    code, title = "email-taken", "The mail address is in use; log in instead"


class SlugTaken(Conflict):
    """Another organization has the slug."""

    code, title = "slug-taken", "The slug is in use; choose another"


class WeakPassword(Invalid):
    """The password breaks a rule; the field error says which."""

    code, title = "weak-password", "The password is not good enough"

    def __init__(self, rule: str) -> None:
        super().__init__(errors=(FieldError("/password", "weak-password", rule),))


class ScopeNotHeld(Forbidden):
    """A key can carry only what its maker may do."""

    code, title = "scope-not-held", "A key cannot carry a permission you do not have"


class KeyExpiresInThePast(Invalid):
    """A key that never opens anything."""

    code, title = "key-expires-in-the-past", "The key would have expired already"

    def __init__(self) -> None:
        super().__init__(errors=(FieldError("/expires_at", "past", "must be in the future"),))


class ApiKeyNotFound(NotFound):
    """No such key in this tenant."""

    code, title = "api-key-not-found", "There is no such API key"


class SessionNotFound(NotFound):
    """No such session of this user in this tenant."""

    code, title = "session-not-found", "There is no such session"
