"""Sign-ups that come again, on PostgreSQL and DynamoDB."""

from typing import Any
from uuid import UUID

from shared.erasure.repository import ErasureRepository
from shared.identity.model import Assurance, Membership, SignUp, User
from shared.identity.repository.tickets import TicketRepository
from shared.identity.repository.users import UserRepository
from shared.identity.service.callers import Caller
from shared.identity.service.sign_up import SignUps
from tenant_context.clock import utc_now, uuid7
from tenant_context.context import from_schedule
from tenant_context.dynamo import Table
from tenant_context.postgres import Database
from tests.dynamo import watched
from tests.shared.identity.services import CALLER

SIGN_UP = SignUp("eve@example.com", "correct horse battery staple", "Eve", "Eve's", "eves-place", "starter")


class Door:
    """What a sign-up asks of the rest of identity; whoever comes in is noted with their tenant."""

    def __init__(self) -> None:
        self.came: list[UUID] = []

    def meter(self, kind: str, address: str) -> None:
        """Nobody is slowed down."""

    def check(self, password: str, email: str, name: str, caller: Caller) -> None:
        """Every password is good."""

    def hash(self, password: str) -> str:
        return f"hash of {password}"

    def enter(self, _user: User, place: Membership, _caller: Caller, _assured: Assurance, _device: str) -> Any:
        self.came.append(place.tenant)
        return place

    def log_in(self, *_: Any) -> Any:
        raise AssertionError("nobody had to log in")


def sign_ups(database: Database, table: Table, door: Any) -> SignUps:
    return SignUps(
        database,
        UserRepository(database),
        TicketRepository(table),
        door,
        passwords=door,
        fresh=door,
        throttle=door,
        clock=utc_now,
        new_id=uuid7,
    )


def test_a_key_does_not_bring_back_what_was_erased(database: Database, table_name: str) -> None:
    """Timed work and billing pass by whoever was erased: under the same id it would be free, for ever."""
    door = Door()
    with watched(table_name) as table:
        signing = sign_ups(database, table, door)
        signing.sign_up(SIGN_UP, CALLER, "a key")
        gone = from_schedule(door.came[0], "the tests")
        erasures = ErasureRepository(database)
        with database.transaction(gone) as tx:
            tx.run("UPDATE tenants SET status = 'closed' WHERE tenant_id = %s", (gone.tenant,))
        with database.transaction(gone) as tx:
            erasure = erasures.claim(tx)
            assert erasure is not None
        with database.transaction(gone) as tx:
            for name in ("outbox", "audit_log", "memberships", "tenants"):
                erasures.rows(tx, name, 100)
            assert [erasures.person(tx, UUID(user)) for user in erasure.mark.people] == [True]
        signing.sign_up(SIGN_UP, CALLER, "a key")
    before, after = door.came
    assert before != after
    assert database.read(from_schedule(after, "the tests"), "SELECT slug FROM tenants") == [("eves-place",)]
