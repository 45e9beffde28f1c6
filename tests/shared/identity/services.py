"""Identity's services on real stores, wired as the auth function wires them, with a clock that is moved by hand."""

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from shared.identity.gateway.breaches import BreachedPasswords
from shared.identity.gateway.egress import Egress
from shared.identity.gateway.fields import UserSecrets
from shared.identity.gateway.passkeys import RelyingParty
from shared.identity.gateway.passwords import Passwords
from shared.identity.gateway.tokens import TokenSigner
from shared.identity.repository.credentials import CredentialRepository
from shared.identity.repository.factors import FactorRepository
from shared.identity.repository.invitations import InvitationRepository
from shared.identity.repository.passkeys import PasskeyRepository
from shared.identity.repository.sessions import SessionRepository
from shared.identity.repository.throttles import ThrottleRepository
from shared.identity.repository.tickets import TicketRepository
from shared.identity.repository.users import UserRepository
from shared.identity.rules import MAX_PASSKEYS
from shared.identity.service.account import Account
from shared.identity.service.callers import Caller
from shared.identity.service.factors import SecondFactors
from shared.identity.service.failures import Failures
from shared.identity.service.fresh_passwords import FreshPasswords
from shared.identity.service.invitations import Asked
from shared.identity.service.mailed_codes import MailedCodes
from shared.identity.service.passkeys import Passkeys
from shared.identity.service.recovery import Recovery
from shared.identity.service.sessions import Issuer, SessionTokens
from shared.identity.service.sign_in import Identity
from shared.identity.service.takeover import Takeover
from shared.identity.service.throttle import Limits, Throttle
from tenant_context.aws import AwsClient
from tenant_context.clock import uuid7
from tenant_context.dynamo import Table
from tenant_context.key_ring import PublishedKey
from tenant_context.observability import Observability
from tenant_context.postgres import Database
from tenant_context.state_news import Allowances

PEPPER = "a pepper of the tests"
CALLER = Caller("198.51.100.7", "a browser", "request-1")


class Clock:
    """Seconds moved by hand."""

    passed = 0.0

    def __call__(self) -> datetime:
        return datetime(2026, 3, 2, 9, 0, tzinfo=UTC) + timedelta(seconds=self.passed)


class OneKey:
    """A ring of one key, which KMS holds."""

    def __init__(self, kms: AwsClient) -> None:
        made = kms.call("CreateKey", {"KeyUsage": "SIGN_VERIFY", "KeySpec": "RSA_2048"})["KeyMetadata"]
        der = base64.b64decode(kms.call("GetPublicKey", {"KeyId": made["KeyId"]})["PublicKey"])
        public = load_der_public_key(der)
        assert isinstance(public, RSAPublicKey)
        self._key = PublishedKey(made["KeyId"], made["Arn"], "RS256", signs=True, public=public)

    def signing(self) -> PublishedKey:
        return self._key

    def read(self) -> None:
        """It never changes."""


@dataclass(frozen=True)
class Stores:
    """What the services stand on: a database, one table for everything in DynamoDB, and KMS."""

    database: Database
    table_name: str
    signer: TokenSigner
    kms: AwsClient
    clock: Clock

    def tokens(self, wire: AwsClient) -> SessionTokens:
        """Sessions over a connection of their own: one is for one thread."""
        table = Table(self.table_name, wire)
        sessions = SessionRepository(table, table, self.clock)
        issuer = Issuer("https://api.example.com", "rmap", "test")
        users = UserRepository(self.database)
        return SessionTokens(
            sessions,
            users,
            self.signer,
            issuer,
            pepper=PEPPER,
            clock=self.clock,
            new_id=uuid7,
            allowances=Allowances(table, self.clock),
        )

    def recovery(self, wire: AwsClient) -> Recovery:
        """Passwords forgotten and addresses confirmed; no mail is sent."""
        table, database = Table(self.table_name, wire), self.database
        users, tickets = UserRepository(database), TicketRepository(table)
        unused: Any = None
        return Recovery(
            database,
            users,
            SessionRepository(table, table, self.clock),
            tickets,
            codes=self.codes(wire),
            takeover=unused,
            passwords=unused,
            proofs=unused,
            fresh=unused,
            throttle=unused,
            mails=unused,
            clock=self.clock,
        )

    def account(self, wire: AwsClient) -> Account:
        """Addresses changed; no mail is sent."""
        table, database = Table(self.table_name, wire), self.database
        unused: Any = None
        return Account(
            database,
            UserRepository(database),
            SessionRepository(table, table, self.clock),
            TicketRepository(table),
            members=unused,
            codes=self.codes(wire),
            credentials=unused,
            factors=unused,
            tokens=unused,
            throttle=unused,
            mails=unused,
            clock=self.clock,
        )

    def codes(self, wire: AwsClient) -> MailedCodes:
        """Codes of mails."""
        table = Table(self.table_name, wire)
        throttle = Throttle(ThrottleRepository(table), self.clock, Limits())
        return MailedCodes(TicketRepository(table), throttle, self.clock)

    def identity(self, wire: AwsClient, passwords: Passwords) -> Identity:
        """Log-in and what belongs to it."""
        database, clock, table = self.database, self.clock, Table(self.table_name, wire)
        users, tickets = UserRepository(database), TicketRepository(table)
        throttle = Throttle(ThrottleRepository(table), clock, Limits())
        egress = Egress("no-such-function", seconds=3.0)
        party = RelyingParty("localhost", ["http://localhost"])
        sessions = SessionRepository(table, table, clock)
        known, apps = PasskeyRepository(table, MAX_PASSKEYS), FactorRepository(table)
        more: dict[str, Any] = {"throttle": throttle, "clock": clock}
        return Identity(
            database,
            users,
            sessions,
            tickets,
            tokens=self.tokens(wire),
            passwords=passwords,
            factors=SecondFactors(apps, UserSecrets("no-such-key", self.kms), throttle, PEPPER, clock),
            passkeys=Passkeys(database, users, known, tickets, party=party, **more),
            failures=Failures(database),
            fresh=FreshPasswords(BreachedPasswords(egress, Observability("tests"))),
            asked=Asked(InvitationRepository(database), self.codes(wire)),
            takeover=Takeover(database, users, sessions, CredentialRepository(apps, known)),
            pepper=PEPPER,
            new_id=uuid7,
            **more,
        )
