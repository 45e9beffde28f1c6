"""Invitations: sent by mail, good for seven days, once."""

import secrets
from datetime import timedelta
from uuid import UUID

from shared.identity.errors import (
    AlreadyMember,
    InvitationAccepted,
    InvitationNotFound,
    InvitedAsAnother,
    OwnersOnly,
    TicketEnded,
)
from shared.identity.gateway.mail import MailQueue
from shared.identity.model import Invitation
from shared.identity.repository.invitations import InvitationRepository
from shared.identity.repository.members import MemberRepository
from shared.identity.repository.roles import RoleRepository
from shared.identity.repository.tickets import TicketRepository
from shared.identity.service.callers import user_of
from shared.identity.service.mailed_codes import MailedCodes
from shared.identity.service.roles import check_may_give
from shared.identity.service.throttle import Throttle
from tenant_context.clock import Clock, NewId
from tenant_context.context import TenantContext
from tenant_context.events import Event
from tenant_context.postgres import Transaction

GOOD_FOR = timedelta(days=7)


class Invitations:
    """Asks people to join the caller's tenant."""

    def __init__(
        self,
        invitations: InvitationRepository,
        members: MemberRepository,
        roles: RoleRepository,
        tickets: TicketRepository,
        mails: MailQueue,
        *,
        throttle: Throttle,
        clock: Clock,
        new_id: NewId,
    ) -> None:
        self._invitations = invitations
        self._members = members
        self._roles = roles
        self._tickets = tickets
        self._mails = mails
        self._throttle = throttle
        self._clock = clock
        self._new_id = new_id

    def send(self, tx: Transaction, email: str, role: str, organization: str) -> Invitation:
        """Ask somebody to join; emits member.invited. Errors: TooManyTries, OwnersOnly, UnknownRole, RoleNotHeld."""
        caller = user_of(tx.tenant)
        self._throttle.meter(f"invite {tx.tenant.tenant}", tx.tenant.source_ip)
        if role == "owner" and self._members.lock(tx, caller)[0] != "owner":
            raise OwnersOnly
        check_may_give(tx, self._roles, self._members, role)
        until = tx.now + GOOD_FOR
        invitation = Invitation(self._new_id(), email, role, caller, tx.now, until, "open")
        self._invitations.add(tx, invitation)
        token = f"in_{secrets.token_urlsafe(32)}"
        content = {"tenant": tx.tenant.tenant, "invitation": invitation.id, "email": email}
        self._tickets.put("invitation", token, content, int(until.timestamp()))
        data = {"id": str(invitation.id), "email": email, "role": role}
        tx.emit(Event("member.invited", f"invitation/{invitation.id}", data))
        values = {"organization": organization, "role": role, "token": token}
        tenant, request = tx.tenant.tenant, tx.tenant.request_id
        tx.after_commit(lambda: self._mails.send("invitation", email, values, request_id=request, tenant=tenant))
        return invitation

    def page(self, tenant: TenantContext, *, after: UUID | None, limit: int) -> list[Invitation]:
        """Invitations, newest first."""
        return self._invitations.page(tenant, now=self._clock(), after=after, limit=limit)

    def revoke(self, tx: Transaction, invitation: UUID) -> None:
        """Take an open one back; emits member.invitation_revoked. Errors: InvitationNotFound."""
        email = self._invitations.revoke(tx, invitation)
        if email is None:
            raise InvitationNotFound
        data = {"id": str(invitation), "email": email}
        tx.emit(Event("member.invitation_revoked", f"invitation/{invitation}", data))


class Asked:
    """An invitation as whoever holds its mail brings it back."""

    def __init__(self, invitations: InvitationRepository, codes: MailedCodes) -> None:
        self._invitations = invitations
        self._codes = codes

    def read(self, token: str, address: str) -> tuple[UUID, UUID, str]:
        """The tenant, the invitation and the mail address it was sent to. Errors: TicketEnded, TooManyTries."""
        item = self._codes.read("invitation", token, address)
        return UUID(item["tenant"]), UUID(item["invitation"]), item["email"]

    def check_good(self, tx: Transaction, invitation: UUID, user: UUID) -> None:
        """Whether the user could join now. Errors: as `enter`."""
        self._invitations.check_open(tx)
        if not self._invitations.is_open(tx, invitation):
            raise self._ended(tx, invitation)
        if self._invitations.is_member(tx, user):
            raise AlreadyMember

    def enter(self, tx: Transaction, invitation: UUID, user: UUID) -> None:
        """The user joins; emits member.joined.

        Errors: OrganizationClosed, OrganizationSuspended, SsoRequired, TicketEnded, AlreadyMember, and what says the
        state of an organization that is read-only.
        """
        self._invitations.check_open(tx)
        role = self._invitations.accept(tx, invitation)
        if role is None:
            raise self._ended(tx, invitation)
        self._invitations.join(tx, user, role)
        tx.emit(Event("member.joined", f"user/{user}", {"user": str(user), "from": None, "to": role}))

    def _ended(self, tx: Transaction, invitation: UUID) -> TicketEnded:
        return InvitationAccepted() if self._invitations.is_accepted(tx, invitation) else TicketEnded()

    def add_user(self, tx: Transaction, user: UUID, email: str, name: str, password_hash: str) -> None:
        """Somebody who was no user before."""
        self._invitations.add_user(tx, user, email, name, password_hash)


def check_address(own: str, invited: str) -> None:
    """Raise `InvitedAsAnother` where the invitation was sent to somebody else."""
    if own != invited:
        raise InvitedAsAnother
