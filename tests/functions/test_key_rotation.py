"""The life of the ring of signing keys, on the real local KMS and DynamoDB, with the clock moved by hand."""

import base64
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest

from local.stack import Stack
from shared.identity.gateway.tokens import TokenSigner
from shared.signing.errors import RotationStuck
from shared.signing.gateway import Made, SigningKeys
from shared.signing.model import Key, Step, Times
from shared.signing.repository import RingRepository
from shared.signing.rules import CLAIM_SECONDS, REMEMBERED_SECONDS
from shared.signing.service import Rotation, Turned
from tenant_context.aws import AwsClient
from tenant_context.clock import uuid7
from tenant_context.dynamo import Table
from tenant_context.key_ring import KeyRing, State
from tenant_context.revocations import Revocations

HOUR, DAY = 3600, 86_400
TIMES = Times(rotate_after=90 * DAY, publish_for=HOUR, overlap=2 * HOUR)
LIVE = (State.PENDING, State.SIGNING, State.VERIFYING)


class Clock:
    """Seconds moved by hand; asleep it moves by itself."""

    def __init__(self) -> None:
        self.passed = 0.0

    def __call__(self) -> datetime:
        return datetime(2026, 3, 2, 9, 0, tzinfo=UTC) + timedelta(seconds=self.passed)

    def sleep(self, seconds: float) -> None:
        self.passed += seconds


class Killed(BaseException):
    """The process is gone; nothing catches this."""


@dataclass
class Life:
    """How many calls to AWS a run may make before it is killed."""

    calls: int = 10_000


class Mortal(AwsClient):
    """A client whose process can be killed before any call."""

    life: Life

    def call(self, operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        if not self.life.calls:
            raise Killed
        self.life.calls -= 1
        return super().call(operation, payload)


@dataclass
class Place:
    """One test's ring, and any number of runs that turn it."""

    table: str
    kms: Any
    tags: Any
    clock: Clock = field(default_factory=Clock)
    stage: str = field(default_factory=lambda: f"test-{uuid4().hex[:8]}")
    opened: list[AwsClient] = field(default_factory=list)

    def client(self, service: str, life: Life | None = None) -> AwsClient:
        made = Mortal(service)
        made.life = life or Life()
        self.opened.append(made)
        return made

    def rotation(self, life: Life | None = None) -> Rotation:
        """A run of its own, as another sandbox would be."""
        table = Table(self.table, self.client("dynamodb", life))
        keys = SigningKeys(self.stage, self.client("kms", life))
        return Rotation(RingRepository(table), keys, table, TIMES, self.clock, uuid7, self.clock.sleep)

    def later(self, seconds: float) -> Turned:
        """A timed run after so long."""
        self.clock.passed += seconds
        return self.rotation().run()

    def ring(self) -> KeyRing:
        """What a sandbox that starts now believes."""
        table = Table(self.table, self.client("dynamodb"))
        return KeyRing(table, self.clock, Revocations(table, self.clock).has_key)

    def held(self) -> list[Key]:
        return list(RingRepository(Table(self.table, self.client("dynamodb"))).find().keys)

    def states(self) -> list[State]:
        return [key.state for key in self.held()]

    def in_kms(self) -> dict[str, str]:
        """Every key that was ever made for this test, and its state in KMS."""
        wanted = [{"Key": "rmap:stage", "Values": [self.stage]}]
        made = self.tags.get_resources(ResourceTypeFilters=["kms"], TagFilters=wanted)["ResourceTagMappingList"]
        kids = [one["ResourceARN"].rpartition("/")[2] for one in made]
        return {kid: self.kms.describe_key(KeyId=kid)["KeyMetadata"]["KeyState"] for kid in kids}


@pytest.fixture
def place(servers: Stack) -> Iterator[Place]:
    dynamodb, kms = servers.client("dynamodb"), servers.client("kms")
    name = f"test-{uuid4().hex}"
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": one, "AttributeType": "S"} for one in ("pk", "sk")],
        BillingMode="PAY_PER_REQUEST",
    )
    tags = servers.client("resourcegroupstaggingapi")
    made = Place(name, kms, tags)
    yield made
    for client in made.opened:
        client.close()
    dynamodb.delete_table(TableName=name)
    dynamodb.close()
    kms.close()
    tags.close()


def check_sound(place: Place) -> None:
    """What holds of a ring at any moment: at most one key signs, and no key that is believed is being deleted."""
    states = place.states()
    assert states.count(State.SIGNING) <= 1
    assert states.count(State.PENDING) <= 1
    live = [key.kid for key in place.held() if key.state in LIVE]
    kms = place.in_kms()
    assert {kms[kid] for kid in live} <= {"Enabled"}


def test_the_first_run_makes_a_key_that_signs_at_once(place: Place) -> None:
    assert place.rotation().run().steps == (Step.MAKE, Step.PROMOTE)
    (key,) = place.held()
    assert (key.state, key.algorithm) == (State.SIGNING, "RS256")
    token = TokenSigner(place.ring(), place.client("kms")).sign({"sub": "somebody"})
    signed, _, signature = token.rpartition(".")
    answer = place.kms.verify(
        KeyId=key.kid,
        Message=signed.encode(),
        Signature=base64.urlsafe_b64decode(signature + "=="),
        SigningAlgorithm="RSASSA_PKCS1_V1_5_SHA_256",
    )
    assert answer["SignatureValid"]


def test_a_key_lives_ninety_days_and_hands_over_without_a_gap(place: Place) -> None:
    place.rotation().run()
    assert place.later(90 * DAY - 1).steps == ()
    assert place.later(1).steps == (Step.MAKE,)
    assert place.states() == [State.SIGNING, State.PENDING]
    assert place.later(HOUR - 1).steps == ()
    assert place.later(1).steps == (Step.PROMOTE,)
    assert place.states() == [State.VERIFYING, State.SIGNING]
    assert place.later(2 * HOUR - 1).steps == ()
    assert place.later(1).steps == (Step.RETIRE, Step.CLOSE)
    assert place.states() == [State.RETIRED, State.SIGNING]
    first, second = place.held()
    assert place.in_kms() == {first.kid: "PendingDeletion", second.kid: "Enabled"}
    when = place.kms.describe_key(KeyId=first.kid)["KeyMetadata"]["DeletionDate"]
    assert timedelta(days=29) < when - datetime.now(when.tzinfo) <= timedelta(days=30)


def test_a_sandbox_believes_what_is_pending_signing_or_verifying(place: Place) -> None:
    place.rotation().run()
    place.rotation().rotate()
    old, new = (key.kid for key in place.held())
    assert [key.kid for key in place.ring().published()] == [old, new]
    place.later(HOUR)
    assert place.ring().signing().kid == new
    assert [key.kid for key in place.ring().published()] == [new, old]
    place.later(2 * HOUR)
    assert place.ring().find(old) is None
    assert [key.kid for key in place.ring().published()] == [new]


def test_what_was_deleted_is_forgotten_in_time(place: Place) -> None:
    place.rotation().run()
    place.rotation().rotate()
    place.later(HOUR)
    place.later(2 * HOUR)
    assert place.later(REMEMBERED_SECONDS).steps == (Step.FORGET,)
    assert place.states() == [State.SIGNING]


def test_by_hand_the_next_key_is_published_once_however_often_it_is_asked_for(place: Place) -> None:
    place.rotation().run()
    assert place.rotation().rotate().steps == (Step.MAKE,)
    assert place.rotation().rotate().steps == ()
    place.clock.passed += HOUR
    assert place.rotation().rotate().steps == (Step.PROMOTE,)
    assert place.states() == [State.VERIFYING, State.SIGNING]


@pytest.mark.parametrize("asked", ["run", "rotate"])
def test_two_rotations_at_once_do_one(place: Place, asked: str) -> None:
    if asked == "rotate":
        place.rotation().run()
    together = 6
    barrier = Barrier(together)

    def turn(rotation: Rotation) -> Turned:
        barrier.wait(30)
        turned: Turned = getattr(rotation, asked)()
        return turned

    with ThreadPoolExecutor(together) as pool:
        list(pool.map(turn, [place.rotation() for _ in range(together)]))
    expected = [State.SIGNING] if asked == "run" else [State.SIGNING, State.PENDING]
    assert place.states() == expected
    assert place.in_kms() == {key.kid: "Enabled" for key in place.held()}


def test_in_an_emergency_the_old_keys_stop_and_another_signs(place: Place) -> None:
    place.rotation().run()
    place.rotation().rotate()
    place.later(HOUR)
    verifying, signing = (key.kid for key in place.held())
    warm = place.ring()
    assert warm.find(verifying)
    assert warm.find(signing)
    turned = place.rotation().end()
    assert turned.steps == (Step.MAKE, Step.END, Step.CLOSE, Step.CLOSE)
    assert place.states() == [State.RETIRED, State.RETIRED, State.SIGNING]
    cold = place.ring()
    assert cold.find(verifying) is cold.find(signing) is None
    kms = place.in_kms()
    assert {kms[verifying], kms[signing]} == {"PendingDeletion"}


def test_in_an_emergency_a_published_key_steps_in(place: Place) -> None:
    place.rotation().run()
    place.rotation().rotate()
    _, pending = place.held()
    assert place.rotation().end().steps == (Step.END, Step.CLOSE)
    assert place.ring().signing().kid == pending.kid


def test_a_sandbox_that_holds_the_ring_hears_of_an_ended_key_within_five_seconds(place: Place) -> None:
    place.rotation().run()
    table = Table(place.table, place.client("dynamodb"))
    warm = KeyRing(table, place.clock, Revocations(table, place.clock, lambda: place.clock.passed).has_key)
    old = warm.signing().kid
    place.rotation().end()
    place.clock.passed += 5
    assert warm.find(old) is None
    assert warm.signing().kid != old
    assert old not in {key.kid for key in warm.published()}


def test_whoever_signs_with_a_key_that_was_just_ended_takes_the_next(place: Place) -> None:
    place.rotation().run()
    table = Table(place.table, place.client("dynamodb"))
    ring = KeyRing(table, place.clock)
    signer = TokenSigner(ring, place.client("kms"))
    before = ring.signing().kid
    place.rotation().end()
    signer.sign({"sub": "somebody"})
    assert ring.signing().kid != before


Deed = Callable[[Rotation], Turned]


def aged(place: Place, seconds: int) -> None:
    place.rotation().run()
    place.clock.passed += seconds


def promotable(place: Place) -> None:
    place.rotation().run()
    place.rotation().rotate()
    place.clock.passed += HOUR


def retirable(place: Place) -> None:
    promotable(place)
    place.later(0)
    place.clock.passed += 2 * HOUR


@pytest.mark.parametrize(
    ("before", "deed", "after"),
    [
        (lambda _: None, Rotation.run, [State.SIGNING]),
        (partial(aged, seconds=90 * DAY), Rotation.run, [State.SIGNING, State.PENDING]),
        (promotable, Rotation.run, [State.VERIFYING, State.SIGNING]),
        (retirable, Rotation.run, [State.RETIRED, State.SIGNING]),
        (partial(aged, seconds=0), Rotation.end, [State.RETIRED, State.SIGNING]),
        (promotable, Rotation.end, [State.RETIRED, State.SIGNING]),
    ],
    ids=["the first key", "the next key", "it signs", "the old one retires", "emergency", "emergency, one published"],
)
def test_a_run_that_is_killed_between_any_two_steps_is_finished_by_the_next(
    servers: Stack, place: Place, before: Callable[[Place], None], deed: Deed, after: list[State]
) -> None:
    """Killed before its first call, its second, … until one run gets through; a fresh ring each time."""
    del servers
    for calls in range(100):
        fresh = Place(place.table, place.kms, place.tags, opened=place.opened)
        forget(place)
        before(fresh)
        emergency = deed is Rotation.end
        ended = {key.kid for key in fresh.held() if emergency and key.state is State.SIGNING}
        life = Life(calls)
        with suppress(Killed):
            deed(fresh.rotation(life))
        check_sound(fresh)
        got_through = life.calls > 0
        fresh.clock.passed += CLAIM_SECONDS
        # Who asked for an emergency and saw it fail asks again; time alone brings the rest.
        still = [key for key in fresh.held() if key.kid in ended and key.state is State.SIGNING]
        (deed if still else Rotation.run)(fresh.rotation())
        check_sound(fresh)
        assert fresh.states() == after, calls
        kms = fresh.in_kms()
        assert {kms.pop(key.kid) for key in fresh.held() if key.state is State.RETIRED} <= {"PendingDeletion"}
        strangers = kms.keys() - {key.kid for key in fresh.held()}
        assert len(strangers) <= 1, "a key that KMS made for a run which never heard of it"
        if got_through:
            assert not strangers
            return
    pytest.fail("a hundred calls were not enough")


def forget(place: Place) -> None:
    """An empty table."""
    table = Table(place.table, place.client("dynamodb"))
    table.delete("ring", "ring")


class Slow(SigningKeys):
    """Takes so long to make a key that everybody else believes the run dead."""

    meanwhile: Callable[[], object]

    def make(self) -> Made:
        made = super().make()
        self.meanwhile()
        return made


def test_a_run_that_comes_too_late_with_its_key_has_it_deleted(place: Place) -> None:
    table = Table(place.table, place.client("dynamodb"))
    slow = Slow(place.stage, place.client("kms"))
    slow.meanwhile = lambda: place.later(CLAIM_SECONDS)
    Rotation(RingRepository(table), slow, table, TIMES, place.clock, uuid7, place.clock.sleep).run()
    (key,) = place.held()
    assert sorted(place.in_kms().values()) == ["Enabled", "PendingDeletion"]
    assert place.in_kms()[key.kid] == "Enabled"


def test_a_run_that_waits_in_vain_says_so(place: Place) -> None:
    """Somebody else claims to make the first key, and the clock stands still."""
    life = Life(calls=2)
    with suppress(Killed):
        place.rotation(life).run()
    table = Table(place.table, place.client("dynamodb"))
    rotation = Rotation(
        RingRepository(table),
        SigningKeys(place.stage, place.client("kms")),
        table,
        TIMES,
        place.clock,
        uuid7,
        lambda _: None,
    )
    with pytest.raises(RotationStuck):
        rotation.run()
    assert place.in_kms() == {}
