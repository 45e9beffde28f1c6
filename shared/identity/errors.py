"""What identity refuses."""

from uuid import UUID

from tenant_context.errors import Conflict, FieldError, Forbidden, Invalid, NotFound, TooManyRequests, Unauthenticated


class WrongCredentials(Unauthenticated):
    """Unknown address or wrong password: never told apart."""

    code, title = "wrong-credentials", "The mail address or the password is wrong"


class WrongCode(Unauthenticated):
    """Not a code of the user's authenticator app, nor an unused recovery code."""

    code, title = "wrong-code", "The code is wrong"


class ChallengeEnded(Unauthenticated):
    """The log-in that waited for its second step has expired, or was finished."""

    code, title = "challenge-ended", "The log-in has expired; begin again"


class TicketEnded(Unauthenticated):
    """The code from a mail has expired, was used, or never was."""

    code, title = "ticket-ended", "The code is not good any more; ask for another"


class InvitationAccepted(TicketEnded):
    """The code of an invitation that was accepted, which whoever holds its mail may know."""

    def __init__(self) -> None:
        super().__init__("The invitation was accepted already: log in to the organization.")


class CeremonyEnded(Unauthenticated):
    """What a passkey was asked has expired, was answered, was asked of somebody else, or never was."""

    code, title = "ceremony-ended", "The passkey was asked too long ago, or has answered; begin again"


class WrongPasskey(Unauthenticated):
    """Not an answer of a passkey of this user to what was asked: never told which part is wrong."""

    code, title = "wrong-passkey", "The passkey's answer is not good"


class PasskeyCloned(Unauthenticated):
    """A passkey's signature is good, but its counter went back: somebody may have copied it."""

    code, title = "passkey-cloned", "The passkey's counter went back"

    def __init__(self, user: UUID, name: str) -> None:
        super().__init__("Somebody may have copied this passkey: log in another way, and remove it.")
        self.user, self.name = user, name


class PasskeyRefused(Invalid):
    """What a new passkey answered is not good."""

    code, title = "passkey-refused", "The passkey cannot be set up"


class PasskeyExists(Conflict):
    """The passkey is set up already, here or by somebody else."""

    code, title = "passkey-exists", "This passkey is set up already"


class TooManyPasskeys(Conflict):
    """The user has as many passkeys as one may have."""

    code, title = "too-many-passkeys", "You have as many passkeys as one may have; remove one first"


class PasskeyNotFound(NotFound):
    """No such passkey of this user."""

    code, title = "passkey-not-found", "There is no such passkey"


class FactorExists(Conflict):
    """An authenticator app is set up already."""

    code, title = "factor-exists", "An authenticator app is set up; remove it first"


class FactorNotFound(NotFound):
    """No authenticator app is set up, or about to be; or, for recovery codes, no second factor at all."""

    code, title = "factor-not-found", "There is no such second factor"


class SessionEnded(Unauthenticated):
    """The refresh token is not the newest of a living session."""

    code, title = "session-ended", "The session has ended; log in again"


class SessionReused(SessionEnded):
    """A refresh token came back long after it was replaced: somebody else may have it."""

    def __init__(self, user: UUID, tenant: UUID, session: UUID) -> None:
        super().__init__("This refresh token was used before; the session is closed for safety.")
        self.user, self.tenant, self.session = user, tenant, session


class MemberNotFound(NotFound):
    """No such user in this tenant."""

    code, title = "member-not-found", "There is no such member"


class UnknownRole(Invalid):
    """No role of this name in this tenant."""

    code, title = "unknown-role", "There is no such role"

    def __init__(self, field: str = "/role") -> None:
        super().__init__(errors=(FieldError(field, "unknown-role", "is no role of this organization"),))


class UnknownPermissions(Invalid):
    """Some grants mean no permission that there is."""

    code, title = "unknown-permissions", "Some permissions do not exist"

    def __init__(self, positions: list[int], field: str = "permissions") -> None:
        super().__init__(
            errors=tuple(
                FieldError(f"/{field}/{position}", "unknown-permission", "is no permission and matches none")
                for position in positions
            )
        )


class RoleNotHeld(Forbidden):
    """Nobody gives, takes or changes a role that may more than they themselves."""

    code, title = "role-not-held", "The role may do more than you may"


class RoleNotFound(NotFound):
    """No role of the tenant's own making of this name."""

    code, title = "role-not-found", "There is no such role of your organization's own"


class RoleExists(Conflict):
    """There is a role of this name."""

    code, title = "role-exists", "There is a role of this name"


class RoleInUse(Conflict):
    """Somebody holds the role, or was invited to it."""

    code, title = "role-in-use", "The role is in use; give those who hold it another one first"


class TooManyRoles(Conflict):
    """An organization has so many roles of its own and no more."""

    code, title = "too-many-roles", "There are too many roles"


class InvitationNotFound(NotFound):
    """No open invitation of this id in this tenant."""

    code, title = "invitation-not-found", "There is no such open invitation"


class AlreadyMember(Conflict):
    """The user belongs to the organization already."""

    code, title = "already-member", "You belong to this organization already"


class InvitedAsAnother(Forbidden):
    """The invitation was sent to another mail address than the caller's."""

    code, title = "invited-as-another", "The invitation is for another mail address"


class LastOwner(Conflict):
    """An organization has an owner, always."""

    code, title = "last-owner", "The organization would have no owner; make somebody else one first"


class OwnersOnly(Forbidden):
    """Ownership is given and taken by owners."""

    code, title = "owners-only", "Only an owner may do this"


class OrganizationClosed(Forbidden):
    """Nobody works in the organization: it was closed, or suspended (`OrganizationSuspended`)."""

    code, title = "organization-closed", "The organization is not open"


class OrganizationSuspended(OrganizationClosed):
    """Nobody works in it for now, as its tokens and keys are told too."""

    code, title = "organization-suspended", "The organization is suspended"


class NoMembership(Forbidden):
    """The user does not belong to the organization named, or to any."""

    code, title = "no-membership", "You do not belong to this organization"


class EmailTaken(Conflict):
    """The mail address has a user already."""

    code, title = "email-taken", "The mail address is in use; log in instead"


class SlugTaken(Conflict):
    """Another organization has the slug."""

    code, title = "slug-taken", "The slug is in use; choose another"


class ErasedBefore(Exception):
    """An organization of this id was erased: the id is not given again, as timed work and billing pass it by."""


class NoProvider(NotFound):
    """No organization of this name or mail domain logs people in by a provider of its own."""

    code, title = "no-provider", "There is no identity provider for this"


class ProviderNeeded(Conflict):
    """People are to come in by the identity provider alone, so there has to be one."""

    code, title = "provider-needed", "People come in by the identity provider alone; change that first"


class ReturnRefused(Invalid):
    """Not one of the addresses that the organization lets people be sent back to."""

    code, title = "return-refused", "People are not sent back there"

    def __init__(self) -> None:
        super().__init__(errors=(FieldError("/return_to", "return-refused", "is none of the organization's"),))


class SignOnEnded(Unauthenticated):
    """The log-in at a provider has expired, was finished, or began elsewhere."""

    code, title = "sign-on-ended", "The log-in has expired; begin again"


class NotEntitled(Forbidden):
    """The provider knows the user, but nothing says what they may be here."""

    code, title = "not-entitled", "Your identity provider gives you no role in this organization"


class AddressNotVouched(Forbidden):
    """The provider does not vouch for the mail address, or its domain is not the organization's."""

    code, title = "address-not-vouched", "The identity provider cannot vouch for this mail address"


class UnconfirmedAccount(Conflict):
    """Somebody signed up with the address and never showed that it is theirs: nothing is joined to that."""

    code, title = "unconfirmed-account", "An account with this address waits to be confirmed; set its password by mail"


class SsoRequired(Forbidden):
    """People come in by the organization's provider alone; owners with two proofs of their own as well."""

    code, title = "sso-required", "Log in by your organization's identity provider"


class DomainNotFound(NotFound):
    """No such mail domain in this tenant."""

    code, title = "domain-not-found", "There is no such domain"


class DomainTaken(Conflict):
    """The domain is verified by another organization, or claimed by this one already."""

    code, title = "domain-taken", "The domain is taken"


class TooManyDomains(Conflict):
    """An organization has so many domains and no more."""

    code, title = "too-many-domains", "There are too many domains"


class ChallengeMissing(Conflict):
    """DNS does not hold the challenge."""

    code, title = "challenge-missing", "DNS does not hold the record yet"


class BreachedPassword(Invalid):
    """The password is on the list of those seen in breaches."""

    code, title = "breached-password", "The password was seen in a breach; choose another"

    def __init__(self) -> None:
        super().__init__(errors=(FieldError("/password", "breached-password", "was seen in a breach of some service"),))


class EmailUnchanged(Conflict):
    """It is the user's address already."""

    code, title = "email-unchanged", "This is your mail address already"


class OwnProofRequired(Forbidden):
    """Asked by somebody whom an organization's identity provider vouched for, about what is theirs alone."""

    code, title = "own-proof-required", "Log in with a proof of your own for this"

    def __init__(self) -> None:
        super().__init__(
            "Your organization's identity provider vouched for you; this is about your own account, or about another "
            "organization. Log in with your password or a passkey. Without one, set a password by mail."
        )


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


class KeyOfADevice(Conflict):
    """The key is a sensor's, which has one at a time."""

    code, title = "key-of-a-device", "The key is of a sensor's device; make another there (sensors/{id}/key)"


class SessionNotFound(NotFound):
    """No such session of this user in this tenant."""

    code, title = "session-not-found", "There is no such session"


class TooManyTries(TooManyRequests):
    """Tried too often in a row; the answer says when again."""

    code, title = "too-many-tries", "This was tried too often"

    def __init__(self, *, retry_after: int) -> None:
        super().__init__(f"Wait {retry_after} s before you try again.", retry_after=retry_after)
