"""Members of the caller's organization: their roles, and how they go."""

from uuid import UUID

from shared.identity.errors import LastOwner, MemberNotFound, OwnersOnly, RoleNotHeld, UnknownRole
from shared.identity.repository.members import MemberRepository
from shared.identity.repository.roles import RoleRepository
from shared.identity.repository.sessions import SessionRepository
from shared.identity.service.callers import user_of
from tenant_context.events import Event
from tenant_context.permissions import covers
from tenant_context.postgres import Transaction

OWNER = "owner"


class Members:
    """Changes who may do what. Whose role changed, or who went, is logged out of this tenant at once."""

    def __init__(self, members: MemberRepository, roles: RoleRepository, sessions: SessionRepository) -> None:
        self._members = members
        self._roles = roles
        self._sessions = sessions

    def change_role(self, tx: Transaction, user: UUID, role: str) -> None:
        """Another role; emits member.role_changed.

        Errors: UnknownRole, MemberNotFound, OwnersOnly, LastOwner, RoleNotHeld.
        """
        if self._roles.permissions(tx, role) is None:
            raise UnknownRole
        before = self._check(tx, user, role)
        if before == role:
            return
        self._members.change(tx, user, role)
        self._tell(tx, "role_changed", user, {"from": before, "to": role})
        tx.after_commit(lambda: self._log_out(tx, user))

    def remove(self, tx: Transaction, user: UUID) -> None:
        """Take a member out; emits member.removed. Errors: MemberNotFound, OwnersOnly, LastOwner, RoleNotHeld."""
        self._go(tx, user, "removed")

    def leave(self, tx: Transaction) -> None:
        """The caller's own way out; emits member.left. Errors: LastOwner."""
        self._go(tx, user_of(tx.tenant), "left")

    def hand_over(self, tx: Transaction, heir: UUID) -> None:
        """Another member becomes owner, and the caller an admin. Errors: OwnersOnly, MemberNotFound."""
        caller = user_of(tx.tenant)
        present, _ = self._members.lock(tx, caller)
        if present != OWNER:
            raise OwnersOnly
        before, _ = self._members.lock(tx, heir)
        if before is None or heir == caller:
            raise MemberNotFound
        self._members.change(tx, heir, OWNER)
        self._members.change(tx, caller, "admin")
        self._tell(tx, "role_changed", heir, {"from": before, "to": OWNER})
        self._tell(tx, "role_changed", caller, {"from": OWNER, "to": "admin"})
        for user in (heir, caller):
            tx.after_commit(lambda user=user: self._log_out(tx, user))  # type: ignore[misc]

    def _go(self, tx: Transaction, user: UUID, how: str) -> None:
        before = self._check(tx, user, "")
        self._members.remove(tx, user)
        self._tell(tx, how, user, {"from": before, "to": None})
        tx.after_commit(lambda: self._log_out(tx, user))

    def _check(self, tx: Transaction, user: UUID, role: str) -> str:
        """The member's present role, if the caller may change it to another (empty: to none)."""
        before, owners = self._members.lock(tx, user)
        if before is None:
            raise MemberNotFound
        touches_ownership = OWNER in {before, role} and before != role
        if touches_ownership and user != tx.tenant.user and not self._is_owner(tx):
            raise OwnersOnly
        if touches_ownership and role == OWNER and not self._is_owner(tx):
            raise OwnersOnly
        if before == OWNER and role != OWNER and owners == 1:
            raise LastOwner
        if user != tx.tenant.user or role:
            self._check_held(tx, before, role)
        return before

    def _check_held(self, tx: Transaction, *roles: str) -> None:
        """Nobody gives or takes a role that may more than they themselves, nor moves who holds one."""
        for role in roles:
            permissions = self._roles.permissions(tx, role) or frozenset()
            if not covers(tx.tenant.permissions, permissions):
                raise RoleNotHeld(f"The role {role} may do more than you may.")

    def _is_owner(self, tx: Transaction) -> bool:
        """By what PostgreSQL says now, not by what the token said a quarter of an hour ago."""
        return self._members.lock(tx, user_of(tx.tenant))[0] == OWNER

    def _log_out(self, tx: Transaction, user: UUID) -> None:
        for session in self._sessions.of_user(tx.tenant.tenant, user):
            self._sessions.end(session.id)

    @staticmethod
    def _tell(tx: Transaction, what: str, user: UUID, change: dict[str, object]) -> None:
        tx.emit(Event(f"member.{what}", f"user/{user}", {"user": str(user), **change}))
