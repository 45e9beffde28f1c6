"""Users and memberships in PostgreSQL; sessions and keys in DynamoDB."""

from datetime import UTC, datetime
from typing import LiteralString
from uuid import UUID

from psycopg import errors

from shared.identity.errors import EmailTaken, SlugTaken
from shared.identity.model import ApiKey, Login, Membership, Session, SignUp, User
from tenant_context.clock import Clock
from tenant_context.dynamo import ConditionFailed, Item, Table, tenant_key
from tenant_context.postgres import Database, Row, Transaction
from tenant_context.revocations import revoke

_INSERT_TENANT: LiteralString = """
    INSERT INTO tenants (tenant_id, slug, name, plan, created_at, updated_at) VALUES (%s, %s, %s, %s, %s, %s)"""
_INSERT_USER: LiteralString = """
    INSERT INTO users (user_id, email, name, password_hash, created_at, updated_at)
    VALUES (%s, %s, %s, %s, %s, %s)"""
_INSERT_MEMBERSHIP: LiteralString = """
    INSERT INTO memberships (tenant_id, user_id, role, created_at) VALUES (%s, %s, %s, %s)"""
_REHASH: LiteralString = "UPDATE users SET password_hash = %s, updated_at = %s WHERE user_id = %s"


class UserRepository:
    """People and their places in tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, tx: Transaction, sign_up: SignUp, user: UUID, slug: str, password_hash: str) -> None:
        """A tenant, its first user and the ownership. Errors: EmailTaken, SlugTaken."""
        tenant = tx.tenant.tenant
        try:
            tx.run(_INSERT_TENANT, (tenant, slug, sign_up.organization, sign_up.plan, tx.now, tx.now))
            tx.run(_INSERT_USER, (user, sign_up.email, sign_up.name, password_hash, tx.now, tx.now))
            tx.one(_INSERT_MEMBERSHIP + " RETURNING 1", (tenant, user, "owner", tx.now))
        except errors.UniqueViolation as error:
            if error.diag.constraint_name == "users_email_key":
                raise EmailTaken from error
            raise SlugTaken from error

    def find_login(self, email: str) -> Login | None:
        """The user behind a mail address, or None."""
        rows = self._database.door("SELECT * FROM app.find_login(%s)", (email,))
        if not rows:
            return None
        user_id, name, password_hash = rows[0][:3]
        memberships = tuple(_membership(row[3:]) for row in rows if row[3] is not None)
        return Login(User(user_id, email.lower(), name), password_hash, memberships)

    def memberships(self, user: UUID) -> tuple[Membership, ...]:
        """A proved user's places."""
        rows = self._database.door("SELECT * FROM app.memberships_of(%s)", (user,))
        return tuple(_membership(row) for row in rows)

    def rehash(self, tx: Transaction, user: UUID, password_hash: str) -> None:
        """Keep the password under today's costs."""
        tx.run(_REHASH, (password_hash, tx.now, user))


def _membership(row: Row) -> Membership:
    tenant, slug, name, role, status = row
    return Membership(tenant, slug, name, role, status)


class SessionRepository:
    """Sessions, found by their id before a tenant is known, and listed by user within a tenant."""

    def __init__(self, table: Table, revocations: Table, clock: Clock) -> None:
        self._table = table
        self._revocations = revocations
        self._clock = clock

    def add(self, session: Session) -> None:
        """Keep a new session until its refresh tokens expire."""
        self._table.put(
            {
                "pk": f"session#{session.id}",
                "sk": "session",
                "gsi1pk": tenant_key(session.tenant, f"user#{session.user}"),
                "gsi1sk": str(session.id),
                "tenant": session.tenant,
                "user": session.user,
                "role": session.role,
                "seed": session.seed,
                "generation": session.generation,
                "rotated_at": str(session.rotated_at),
                "created_at": session.created_at.isoformat(),
                "expires_at": session.expires_at,
                "source_ip": session.source_ip,
                "agent": session.agent,
            }
        )

    def find(self, session: UUID) -> Session | None:
        """The session, or None when it ended."""
        item = self._table.get(f"session#{session}", "session")
        return _session(item) if item else None

    def rotate(self, session: Session, now: float) -> Session | None:
        """Begin the next generation; None when somebody else just did, or the session ended."""
        try:
            item = self._table.update(
                f"session#{session.id}",
                "session",
                "SET generation = :next, rotated_at = :now",
                {":next": session.generation + 1, ":now": str(now), ":present": session.generation},
                condition="generation = :present",
            )
        except ConditionFailed:
            return None
        return _session(item)

    def end(self, session: UUID) -> None:
        """Forget a session: none of its refresh tokens is good any more, nor, within 5 s, any access token."""
        revoke(self._revocations, session, self._clock())
        self._table.delete(f"session#{session}", "session")

    def of_user(self, tenant: UUID, user: UUID) -> list[Session]:
        """A user's living sessions in a tenant."""
        items, _ = self._table.query(tenant_key(tenant, f"user#{user}"), index="gsi1", descending=True)
        return [_session(item) for item in items]


def _session(item: Item) -> Session:
    return Session(
        id=UUID(item["pk"].removeprefix("session#")),
        user=UUID(item["user"]),
        tenant=UUID(item["tenant"]),
        role=item["role"],
        seed=item["seed"],
        generation=int(item["generation"]),
        rotated_at=float(item["rotated_at"]),
        created_at=datetime.fromisoformat(item["created_at"]),
        expires_at=int(item["expires_at"]),
        source_ip=item["source_ip"],
        agent=item["agent"],
    )


class ApiKeyRepository:
    """Keys, twice: by prefix for the door, by tenant for the list. The door's item is written last, revoked first."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def add(self, tenant: UUID, key: ApiKey, digest: str) -> None:
        """Keep a new key; only its HMAC."""
        expires = int(key.expires_at.timestamp()) if key.expires_at else 0
        shown: Item = {
            "name": key.name,
            "scopes": list(key.scopes),
            "created_at": key.created_at.isoformat(),
            "valid_until": expires,
            "revoked": False,
            "tenant": tenant,
        }
        self._table.put({**shown, "pk": tenant_key(tenant, "keys"), "sk": key.prefix})
        self._table.put({**shown, "pk": f"key#{key.prefix}", "sk": "key", "digest": digest})

    def all(self, tenant: UUID) -> list[ApiKey]:
        """The tenant's keys, without their texts."""
        items, start = self._table.query(tenant_key(tenant, "keys"))
        while start:
            more, start = self._table.query(tenant_key(tenant, "keys"), start=start)
            items += more
        return [_key(item) for item in items]

    def find(self, tenant: UUID, prefix: str) -> ApiKey | None:
        """One of the tenant's keys, or None."""
        item = self._table.get(tenant_key(tenant, "keys"), prefix)
        return _key(item) if item else None

    def revoke(self, tenant: UUID, prefix: str) -> None:
        """Stop a key, at the door first."""
        for pk, sk in ((f"key#{prefix}", "key"), (tenant_key(tenant, "keys"), prefix)):
            self._table.update(pk, sk, "SET revoked = :yes", {":yes": True}, condition="attribute_exists(pk)")


def _key(item: Item) -> ApiKey:
    expires = int(item["valid_until"])
    return ApiKey(
        prefix=item["sk"],
        name=item["name"],
        scopes=tuple(item["scopes"]),
        created_at=datetime.fromisoformat(item["created_at"]),
        expires_at=datetime.fromtimestamp(expires, UTC) if expires else None,
        revoked=item["revoked"],
    )
