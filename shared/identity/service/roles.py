"""Roles of a tenant's own making, and who may give which role."""

from dataclasses import replace

from shared.identity import rules
from shared.identity.errors import (
    RoleExists,
    RoleInUse,
    RoleNotFound,
    RoleNotHeld,
    TooManyRoles,
    UnknownPermissions,
    UnknownRole,
)
from shared.identity.model import Role
from shared.identity.repository.members import MemberRepository
from shared.identity.repository.roles import RoleRepository
from shared.identity.repository.sessions import SessionRepository
from tenant_context.context import TenantContext
from tenant_context.errors import PreconditionFailed
from tenant_context.events import Event
from tenant_context.permissions import ROLES, covers, is_known
from tenant_context.postgres import Transaction

AT_MOST = 100
_BUILT_IN = {
    "owner": "May do everything.",
    "admin": "Runs the organization; owners alone are above.",
    "manager": "Runs campaigns and stores.",
    "member": "Prepares campaigns.",
    "viewer": "Reads everything.",
}


class Roles:
    """Makes, changes and removes roles. Nobody makes or gives one that may more than they themselves."""

    def __init__(self, roles: RoleRepository, members: MemberRepository, sessions: SessionRepository) -> None:
        self._roles = roles
        self._members = members
        self._sessions = sessions

    def all(self, tenant: TenantContext) -> list[Role]:
        """Every role of the tenant, those that every tenant has first."""
        built_in = [Role(name, _BUILT_IN[name], tuple(sorted(may)), 1, built_in=True) for name, may in ROLES.items()]
        return [*built_in, *self._roles.all(tenant)]

    def add(self, tx: Transaction, role: Role) -> None:
        """A new role; emits security.role_created.

        Errors: UnknownPermissions, RoleNotHeld, RoleExists, TooManyRoles.
        """
        self._check(tx, role)
        if role.name in ROLES:
            raise RoleExists
        if self._roles.count(tx) >= AT_MOST:
            raise TooManyRoles(f"There are {AT_MOST} roles, which is as many as there may be.")
        self._roles.add(tx, role)
        _tell(tx, "security.role_created", role)

    def change(self, tx: Transaction, role: Role) -> Role:
        """Other permissions, in force for everybody within five seconds; emits security.role_changed.

        `role.version` is the one that was read. Errors: RoleNotFound, PreconditionFailed, UnknownPermissions,
        RoleNotHeld.
        """
        self._check(tx, role)
        present = self._own(tx, role.name)
        if present.version != role.version:
            raise PreconditionFailed(f"The role is at version {present.version}; read it again.")
        changed = replace(role, version=role.version + 1)
        self._roles.change(tx, changed)
        _tell(tx, "security.role_changed", changed)
        # Tokens say what their bearer may do: those issued until now are refreshed.
        tx.after_commit(lambda: self._sessions.outdate(tx.tenant.tenant))
        return changed

    def remove(self, tx: Transaction, name: str) -> None:
        """Take a role away that nobody holds; emits security.role_deleted.

        Errors: RoleNotFound, RoleInUse, RoleNotHeld.
        """
        role = self._own(tx, name)
        if self._roles.is_in_use(tx, name):
            raise RoleInUse
        self._roles.remove(tx, name)
        _tell(tx, "security.role_deleted", role)

    def _own(self, tx: Transaction, name: str) -> Role:
        role = self._roles.lock(tx, name) if rules.is_role_name(name) else None
        if role is None:
            raise RoleNotFound
        if not covers(self._members.held(tx), frozenset(role.permissions)):
            raise RoleNotHeld
        return role

    def _check(self, tx: Transaction, role: Role) -> None:
        unknown = [position for position, pattern in enumerate(role.permissions) if not is_known(pattern)]
        if unknown:
            raise UnknownPermissions(unknown)
        if not covers(self._members.held(tx), frozenset(role.permissions)):
            raise RoleNotHeld


def check_may_give(tx: Transaction, roles: RoleRepository, members: MemberRepository, role: str) -> None:
    """Whether the caller may give or take a role, which is held until the transaction ends.

    Errors: UnknownRole, RoleNotHeld.
    """
    permissions = roles.permissions(tx, role)
    if permissions is None:
        raise UnknownRole
    if not covers(members.held(tx), permissions):
        raise RoleNotHeld(f"The role {role} may do more than you may.")


def _tell(tx: Transaction, what: str, role: Role) -> None:
    data = {"role": role.name, "permissions": list(role.permissions)}
    tx.emit(Event(what, f"role/{role.name}", data))
