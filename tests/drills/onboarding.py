"""The line from a sign-up to its subscription on real stores, killed at any effect that it has on the world.

An effect is a commit of PostgreSQL, a write of DynamoDB, an event put on the bus, a message sent, a POST to Stripe, and
the hash of the password, which costs. Each is a step with a name, so what an undisturbed sign-up does can be read.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import stripe

from functions.billing_outcomes.outcomes import Outcomes
from functions.billing_provisioner.provisioner import Provisioner, Stripe, read_order
from shared.billing.gateway.endings import Endings
from shared.billing.gateway.pages import Pages
from shared.billing.gateway.provision import StripeGateway
from shared.billing.gateway.subscriptions import Subscriptions
from shared.billing.repository import BillingRepository
from shared.billing.rules import ATTEMPTS
from shared.billing.service.trial import TrialEnd
from shared.events.service import Relay
from shared.identity.gateway.passwords import Passwords
from shared.identity.model import SignedIn, SignUp
from shared.identity.repository.throttles import ThrottleRepository
from shared.identity.repository.tickets import TicketRepository
from shared.identity.repository.users import UserRepository
from shared.identity.service.fresh_passwords import FreshPasswords
from shared.identity.service.sign_up import SignUps
from shared.identity.service.throttle import Limits, Throttle
from tenant_context.aws import AwsClient
from tenant_context.bus import Bus, Given, OutboxPublisher
from tenant_context.clock import uuid7
from tenant_context.context import TenantContext, from_message, from_schedule
from tenant_context.dynamo import Table
from tenant_context.entry.queue import Message
from tenant_context.observability import Observability
from tenant_context.postgres import Database, Transaction
from tenant_context.settings import DatabaseSettings
from tests.billing import billing_on
from tests.drills.places import Sandbox
from tests.local.harness import StandIn
from tests.shared.identity.services import CALLER, Clock, Stores

PASSWORD = "a password of the drills"
WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems"})


class Fuse:
    """Ends the sandbox at its n-th step: before the step has an effect, or after it and before anybody knows."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.at: int | None = None
        self.after = False

    def set(self, step: int, *, after: bool) -> None:
        """Let it blow at a step."""
        self.at, self.after = step, after

    @property
    def has_blown(self) -> bool:
        """Whether nothing is left to blow."""
        return self.at is None

    def begin(self, name: str = "") -> int:
        """The number of a step that begins."""
        self.names.append(name)
        return len(self.names) - 1

    def check(self, number: int, *, after: bool) -> None:
        """Blow, if this is the moment. It blows once: the next sandbox lives."""
        if self.at == number and self.after is after:
            self.at = None
            raise Sandbox

    def step(self, name: str, do: Callable[[], Any]) -> Any:
        """One step."""
        number = self.begin(name)
        self.check(number, after=False)
        done = do()
        self.check(number, after=True)
        return done


class SteppedDatabase(Database):
    """PostgreSQL, each commit of which is a step, named by what it tells of."""

    def __init__(self, settings: DatabaseSettings, clock: Clock, fuse: Fuse, publisher: OutboxPublisher) -> None:
        super().__init__(settings, clock=clock, publisher=publisher)
        self._fuse = fuse

    @contextmanager
    def transaction(self, tenant: TenantContext) -> Iterator[Transaction]:
        number = self._fuse.begin()
        with super().transaction(tenant) as tx:
            yield tx
            self._fuse.names[number] = "commit " + (" ".join(event.type for event in tx.events) or "nothing to tell")
            self._fuse.check(number, after=False)
        self._fuse.check(number, after=True)


class SteppedAws(AwsClient):
    """DynamoDB, each write of which is a step, named by the kind of its item."""

    def __init__(self, service: str, fuse: Fuse) -> None:
        super().__init__(service)
        self._fuse = fuse

    def call(self, operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        if operation not in WRITES:
            return super().call(operation, payload)
        kind = payload.get("Item", payload.get("Key", {})).get("pk", {}).get("S", "several")
        name = "#".join(part for part in kind.split("#")[:2] if part.isascii() and part.isalpha())
        done: dict[str, Any] = self._fuse.step(
            f"write {name or kind}", lambda: super(SteppedAws, self).call(operation, payload)
        )
        return done


class SteppedBus(Bus):
    """The bus, each event of which is a step; what its rules pass on waits in `passed_on`."""

    def __init__(self, fuse: Fuse) -> None:
        self._fuse = fuse
        self.events: list[dict[str, Any]] = []

    def give(self, envelopes: Sequence[dict[str, object]]) -> Given:
        def take() -> Given:
            self.events += json.loads(json.dumps(list(envelopes), default=str))
            return Given([str(envelope["id"]) for envelope in envelopes])

        taken: Given = self._fuse.step("put " + " ".join(str(one["type"]) for one in envelopes), take)
        return taken


class SteppedHttp(stripe.RequestsClient):
    """The way to Stripe, each POST on which is a step."""

    fuse: Fuse

    def request(self, method: str, url: str, headers: Any, post_data: Any = None, **more: Any) -> Any:
        if method != "post":
            return super().request(method, url, headers, post_data, **more)
        ask = super().request
        path = _ID.sub("/{id}", urlsplit(url).path)
        return self.fuse.step(f"post {path}", lambda: ask(method, url, headers, post_data, **more))


_ID = re.compile(r"/[a-z]+_\w{24}\b")
"""An id of Stripe's in a path: steps are told without it."""


class SteppedPasswords(Passwords):
    """Hashes, each of which is a step."""

    fuse: Fuse

    def hash(self, password: str) -> str:
        return str(self.fuse.step("hash the password", lambda: super(SteppedPasswords, self).hash(password)))


class SteppedQueue:
    """A queue: what is sent is a step, and what was not worked on to its end comes again, five times in all."""

    def __init__(self, name: str, fuse: Fuse) -> None:
        self._name = name
        self._fuse = fuse
        self.waiting: list[tuple[Message, int]] = []
        self.dead: list[Message] = []

    def send(self, messages: Sequence[Message], *, delay_seconds: int = 0) -> None:
        del delay_seconds
        arrived = [(message, 1) for message in messages]
        self._fuse.step(f"send {messages[0].kind}", lambda: self.waiting.extend(arrived))

    def deliver(self, work: Callable[[TenantContext, Message, bool], None]) -> bool:
        """Hand the first message out; whether there was one. Whatever happens to the worker, it is the queue's."""
        if not self.waiting:
            return False
        message, receive = self.waiting.pop(0)
        try:
            work(from_message(message.tenant, message.id), message, receive >= ATTEMPTS)
        except (Exception, Sandbox):  # noqa: BLE001  whatever it was, the message is the queue's again
            (self.waiting.append((message, receive + 1)) if receive < ATTEMPTS else self.dead.append(message))
        return True


class NotBreached:
    """No password is known."""

    def has(self, _password: str, _request: str) -> bool:
        return False


class Line:
    """One sign-up's way, from the request to the tenant that is ready."""

    def __init__(self, settings: DatabaseSettings, stores: Stores, stand_in: StandIn, secret: str) -> None:
        self.fuse, self.clock, self.stand_in = Fuse(), stores.clock, stand_in
        self.bus, self._seen = SteppedBus(self.fuse), 0
        observed = Observability("drills")
        self.database = SteppedDatabase(settings, stores.clock, self.fuse, OutboxPublisher(self.bus, observed))
        self.wire = SteppedAws("dynamodb", self.fuse)
        self.billing_queue = SteppedQueue("billing", self.fuse)
        self.outcomes_queue = SteppedQueue("billing_outcomes", self.fuse)
        passwords = SteppedPasswords(time_cost=1, memory_kib=64, lanes=1)
        passwords.fuse = self.fuse
        table = Table(stores.table_name, self.wire)
        own = Stores(self.database, stores.table_name, stores.signer, stores.kms, stores.clock)
        unbreached: Any = NotBreached()
        self._sign_ups = SignUps(
            self.database, UserRepository(self.database), TicketRepository(table), own.identity(self.wire, passwords),
            passwords=passwords, fresh=FreshPasswords(unbreached), clock=stores.clock, new_id=uuid7,
            throttle=Throttle(ThrottleRepository(table), stores.clock, Limits()),
        )  # fmt: skip
        self.ways = (
            StripeGateway(secret, stand_in.url),
            Subscriptions(secret, stand_in.url, clock=stores.clock),
            Pages(secret, stand_in.url),
            Endings(secret, stand_in.url),
        )
        http = SteppedHttp(timeout=2)
        http.fuse = self.fuse
        self.ways[0]._http = http
        sent: Any = self.outcomes_queue
        self._provisioner = Provisioner(Stripe(*self.ways), sent)
        asked: Any = self.billing_queue
        nobody: Any = None
        self._outcomes = Outcomes(
            self.database, billing_on(table), TrialEnd(BillingRepository(), nobody), asked, observed
        )

    def close(self) -> None:
        self.database.close()
        self.wire.close()
        for way in self.ways:
            way.close()

    def ask(self, sign_up: SignUp, key: str | None) -> SignedIn:
        """The request."""
        return self._sign_ups.sign_up(sign_up, CALLER, key)

    def sweep(self) -> None:
        """The relay, two minutes later."""
        self.clock.passed += 120
        relay = Relay(self.database, self.bus)
        for tenant in relay.tenants(self.clock()):
            with self.database.transaction(from_schedule(tenant, "sweep")) as tx:
                relay.publish(tx)

    def deliver(self) -> None:
        """Everything that the bus and the queues hold, until nothing is left."""
        while self.deliver_once():
            pass

    def deliver_once(self) -> bool:
        """One round of each queue; whether there was something."""
        new, self._seen = self.bus.events[self._seen :], len(self.bus.events)
        for envelope in new:
            if envelope["type"] == "tenant.created":
                body = json.dumps({"detail-type": envelope["type"], "detail": envelope})
                self.billing_queue.waiting.append((read_order(body), 1))
        return any([self.billing_queue.deliver(self._provision), self.outcomes_queue.deliver(self._follow)])

    def _provision(self, tenant: TenantContext, message: Message, last: bool) -> None:  # noqa: FBT001
        (self._provisioner.last_attempt if last else self._provisioner.attempt)(tenant, message)

    def _follow(self, tenant: TenantContext, message: Message, _last: bool) -> None:  # noqa: FBT001
        self._outcomes(tenant, message)

    def redrive(self) -> None:
        """What is dead is handed out anew."""
        for queue in (self.billing_queue, self.outcomes_queue):
            queue.waiting += [(message, 1) for message in queue.dead]
            queue.dead.clear()

    def told(self, kind: str, tenant: UUID) -> int:
        """How many different events of a kind the bus carried of a tenant: consumers drop an id they have seen."""
        ids = {one["id"] for one in self.bus.events if one["type"] == kind and one["tenant"] == str(tenant)}
        return len(ids)
