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
        roles = self._members.lock_all(tx, caller, heir)
        if roles.get(caller) != OWNER:
            raise OwnersOnly
        before = roles.get(heir)
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
        self._members.withdraw(tx, user)
        self._members.remove(tx, user)
        self._tell(tx, how, user, {"from": before, "to": None})
        tx.after_commit(lambda: self._log_out(tx, user))

    def _check(self, tx: Transaction, user: UUID, role: str) -> str:
        """The member's present role, if the caller may change it to another (empty: to none)."""
        caller = tx.tenant.user
        roles = self._members.lock_all(tx, user, *([caller] if caller else []))
        before = roles.get(user)
        if before is None:
            raise MemberNotFound
        touches_ownership = OWNER in {before, role} and before != role
        is_owner = caller is not None and roles.get(caller) == OWNER
        if touches_ownership and not is_owner:
            raise OwnersOnly
        if before == OWNER and role != OWNER and sum(one == OWNER for one in roles.values()) == 1:
            raise LastOwner
        if user != caller or role:
            self._check_held(tx, before, role)
        return before

    def _check_held(self, tx: Transaction, *roles: str) -> None:
        """Nobody gives or takes a role that may more than they themselves, nor moves who holds one."""
        held = self._members.held(tx)
        for role in roles:
            if not covers(held, self._roles.permissions(tx, role) or frozenset()):
                raise RoleNotHeld(f"The role {role} may do more than you may.")

    def _log_out(self, tx: Transaction, user: UUID) -> None:
        for session in self._sessions.of_user(tx.tenant.tenant, user):
            self._sessions.end(session.id)

    @staticmethod
    def _tell(tx: Transaction, what: str, user: UUID, change: dict[str, object]) -> None:
        tx.emit(Event(f"member.{what}", f"user/{user}", {"user": str(user), **change}))
