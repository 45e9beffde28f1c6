"""People and their places in tenants, in PostgreSQL."""

import secrets
from typing import LiteralString
from uuid import UUID

from psycopg import errors

from shared.identity.errors import EmailTaken, ErasedBefore, SessionEnded, SlugTaken
from shared.identity.model import Login, Membership, SignUp, User
from tenant_context.context import TenantContext
from tenant_context.postgres import Database, Row, Transaction

# None, where one of this id was erased: its membership then finds no tenant.
_INSERT_TENANT: LiteralString = """
    INSERT INTO tenants (tenant_id, slug, name, plan, created_at, updated_at)
    SELECT %s, %s, %s, %s, %s, %s WHERE NOT EXISTS (SELECT FROM erasures WHERE tenant_id = %s)"""
_INSERT_USER: LiteralString = """
    INSERT INTO users (user_id, email, name, password_hash, created_at, updated_at)
    VALUES (%s, %s, %s, %s, %s, %s)"""
_INSERT_MEMBERSHIP: LiteralString = """
    INSERT INTO memberships (tenant_id, user_id, role, created_at) VALUES (%s, %s, %s, %s)"""
_CONFIRM: LiteralString = "UPDATE users SET email_verified_at = %s WHERE user_id = %s AND email = %s"
_CHANGE_EMAIL: LiteralString = """
    UPDATE users SET email = %s, email_verified_at = %s, updated_at = %s
    WHERE user_id = %s AND email = %s RETURNING 1"""
_FORGET: LiteralString = """
    UPDATE users SET email = %s, name = 'deleted', password_hash = '', email_verified_at = NULL, updated_at = %s,
                     deleted_at = %s
    WHERE user_id = %s"""
_RENEW: LiteralString = """
    UPDATE users SET password_hash = %s, updated_at = %s
    WHERE user_id = %s AND EXISTS (SELECT FROM app.find_account(users.email) a WHERE a.password_hash = %s)"""
_EMPTY: LiteralString = """
    UPDATE users SET password_hash = '', updated_at = %s WHERE user_id = %s AND email_verified_at IS NULL RETURNING 1"""
_MAKE_OWN: LiteralString = """
    UPDATE users SET name = %s, password_hash = %s, email_verified_at = %s, updated_at = %s
    WHERE user_id = %s AND email = %s AND email_verified_at IS NULL RETURNING 1"""
_REHASH: LiteralString = "UPDATE users SET password_hash = %s, updated_at = %s WHERE user_id = %s"

_IN_USE = (
    "There is a user with this mail address: log in instead. Another organization is signed up with another address;"
    " its owner invites this one."
)


class UserRepository:
    """People and their places in tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, tx: Transaction, sign_up: SignUp, user: UUID, slug: str, password_hash: str) -> None:
        """A tenant, its first user and the ownership. Errors: EmailTaken, SlugTaken, ErasedBefore."""
        tenant = tx.tenant.tenant
        try:
            tx.run(_INSERT_TENANT, (tenant, slug, sign_up.organization, sign_up.plan, tx.now, tx.now, tenant))
            tx.run(_INSERT_USER, (user, sign_up.email, sign_up.name, password_hash, tx.now, tx.now))
            tx.one(_INSERT_MEMBERSHIP + " RETURNING 1", (tenant, user, "owner", tx.now))
        except errors.UniqueViolation as error:
            if error.diag.constraint_name == "users_email_key":
                raise EmailTaken(_IN_USE) from error
            raise SlugTaken from error
        except errors.ForeignKeyViolation as error:
            raise ErasedBefore from error

    def find_login(self, email: str) -> Login | None:
        """The user behind a mail address, or None."""
        rows = self._database.door("SELECT * FROM app.find_account(%s)", (email,))
        if not rows:
            return None
        user_id, name, password_hash, confirmed = rows[0][:4]
        memberships = tuple(_membership(row[4:]) for row in rows if row[4] is not None)
        return Login(User(user_id, email.lower(), name), password_hash, memberships, confirmed)

    def own(self, tenant: TenantContext) -> User:
        """The caller. Errors: SessionEnded, when there is no such user any more."""
        rows = self._database.read(tenant, "SELECT user_id, email, name FROM users WHERE user_id = %s", (tenant.user,))
        if not rows:
            raise SessionEnded
        return User(*rows[0])

    def is_confirmed(self, tenant: TenantContext) -> bool:
        """Whether the caller's address is known to be theirs."""
        rows = self._database.read(
            tenant, "SELECT email_verified_at IS NOT NULL FROM users WHERE user_id = %s", (tenant.user,)
        )
        return bool(rows and rows[0][0])

    def confirm(self, tx: Transaction, user: UUID, email: str) -> None:
        """The address is the user's, if it is still the one."""
        tx.run(_CONFIRM, (tx.now, user, email))

    def email_of(self, tenant: TenantContext) -> str:
        """The caller's own mail address."""
        rows = self._database.read(tenant, "SELECT email FROM users WHERE user_id = %s", (tenant.user,))
        return str(rows[0][0]) if rows else ""

    def memberships(self, user: UUID) -> tuple[Membership, ...]:
        """A proved user's places."""
        rows = self._database.door("SELECT * FROM app.places(%s)", (user,))
        return tuple(_membership(row) for row in rows)

    def renew_hash(self, tx: Transaction, user: UUID, before: str, after: str) -> None:
        """Keep the same password under today's costs, if it still is the same."""
        tx.run(_RENEW, (after, tx.now, user, before))

    def rehash(self, tx: Transaction, user: UUID, password_hash: str) -> None:
        """Keep the password under today's costs."""
        tx.run(_REHASH, (password_hash, tx.now, user))

    def empty(self, tx: Transaction, user: UUID) -> bool:
        """Without a password from now on; False where the address is confirmed, and nothing is done."""
        return tx.one(_EMPTY, (tx.now, user)) is not None

    def make_own(self, tx: Transaction, user: User, password_hash: str) -> None:
        """An account that was emptied is this user's, who has proved the address. Errors: EmailTaken, if it is not."""
        values = (user.name, password_hash, tx.now, tx.now, user.id, user.email)
        if tx.one(_MAKE_OWN, values) is None:
            raise EmailTaken

    def change_email(self, tx: Transaction, user: UUID, before: str, email: str) -> bool:
        """Another address, which is the user's, if the present one is still that. Errors: EmailTaken."""
        try:
            return tx.one(_CHANGE_EMAIL, (email, tx.now, tx.now, user, before)) is not None
        except errors.UniqueViolation as error:
            raise EmailTaken("There is a user with this mail address.") from error

    def forget(self, tx: Transaction, user: UUID) -> None:
        """Forget the person; that there was a user stays, for the audit log."""
        tx.run(_FORGET, (f"{secrets.token_hex(20)}@deleted.invalid", tx.now, tx.now, user))


def _membership(row: Row) -> Membership:
    tenant, slug, name, role, status, mfa_required, sso_only, provider, granted, plan = row
    own = tuple(granted) if granted is not None else None
    return Membership(tenant, slug, name, role, status, mfa_required, sso_only, provider, own, plan)
