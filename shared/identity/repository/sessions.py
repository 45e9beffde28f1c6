"""Sessions, in DynamoDB."""

from datetime import datetime
from uuid import UUID

from shared.identity.model import Assurance, Session
from tenant_context.clock import Clock
from tenant_context.dynamo import ConditionFailed, Item, Table, tenant_key
from tenant_context.revocations import outdate, revoke


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
                "role": "",  # The release before reads it, for nothing: both may run while a deployment lasts.
                "seed": session.seed,
                "generation": session.generation,
                "rotated_at": str(session.rotated_at),
                "created_at": session.created_at.isoformat(),
                "expires_at": session.expires_at,
                "source_ip": session.source_ip,
                "agent": session.agent,
                "level": session.assurance.level,
                "proofs": list(session.assurance.proofs),
                "authenticated_at": session.assurance.at,
                "issuer": session.assurance.issuer,
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

    def assure(self, session: UUID, assurance: Assurance) -> Session | None:
        """Keep that its user has proved who they are; None when it has ended."""
        try:
            item = self._table.update(
                f"session#{session}",
                "session",
                "SET #level = :level, proofs = :proofs, authenticated_at = :at",
                {":level": assurance.level, ":proofs": list(assurance.proofs), ":at": assurance.at},
                condition="attribute_exists(pk)",
                names={"#level": "level"},
            )
        except ConditionFailed:
            return None
        return _session(item)

    def end(self, session: UUID) -> None:
        """Forget a session: none of its refresh tokens is good any more, nor, within 5 s, any access token."""
        revoke(self._revocations, session, self._clock())
        self._table.delete(f"session#{session}", "session")

    def outdate(self, tenant: UUID) -> None:
        """Every access token of a tenant that was issued until now is good no more, within 5 s; sessions go on."""
        outdate(self._revocations, tenant, self._clock())

    def of_user(self, tenant: UUID, user: UUID) -> list[Session]:
        """A user's living sessions in a tenant."""
        key = tenant_key(tenant, f"user#{user}")
        items, start = self._table.query(key, index="gsi1", descending=True)
        while start:
            more, start = self._table.query(key, index="gsi1", descending=True, start=start)
            items += more
        now = self._clock().timestamp()
        return [_session(item) for item in items if int(item["expires_at"]) > now]


def _session(item: Item) -> Session:
    return Session(
        id=UUID(item["pk"].removeprefix("session#")),
        user=UUID(item["user"]),
        tenant=UUID(item["tenant"]),
        seed=item["seed"],
        generation=int(item["generation"]),
        rotated_at=float(item["rotated_at"]),
        created_at=datetime.fromisoformat(item["created_at"]),
        expires_at=int(item["expires_at"]),
        source_ip=item["source_ip"],
        agent=item["agent"],
        # Sessions of the release before carry none of these: they stand on a password, given long ago.
        assurance=Assurance(
            int(item.get("level", 1)),
            tuple(item.get("proofs", ("pwd",))),
            int(item.get("authenticated_at", 0)),
            item.get("issuer", ""),
        ),
    )
