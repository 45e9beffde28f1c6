"""Turns the ring: one small step after the other, each of which may be the last of a run that is killed."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from shared.signing import rules
from shared.signing.errors import RingMoved, RotationStuck
from shared.signing.gateway import ALGORITHM, SigningKeys
from shared.signing.model import Key, Ring, Step, Times, Wish
from shared.signing.repository import RingRepository
from tenant_context.clock import Clock
from tenant_context.dynamo import Table
from tenant_context.key_ring import State
from tenant_context.revocations import revoke_key

_STEPS = 100
"""More than any ring needs, a minute of waiting included."""


@dataclass(frozen=True, slots=True)
class Turned:
    """What a run did, and the ring it left."""

    steps: tuple[Step, ...]
    ring: Ring


class Rotation:
    """Brings the ring to where the clock, or somebody's wish, says it should be.

    Any number of runs may do this at once. The ring carries a version, and every step is written only over the
    version it was decided on; who comes second reads again and finds the step done.
    """

    def __init__(
        self,
        rings: RingRepository,
        keys: SigningKeys,
        revocations: Table,
        times: Times,
        clock: Clock,
        new_id: Callable[[], UUID],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rings = rings
        self._keys = keys
        self._revocations = revocations
        self._times = times
        self._clock = clock
        self._new_id = new_id
        self._sleep = sleep

    def run(self) -> Turned:
        """Do what is due: also the very first key."""
        return self._turn(Wish())

    def rotate(self) -> Turned:
        """Publish the next key now, whatever the age of the present one; it signs when it is known everywhere."""
        return self._turn(Wish(next=True))

    def end(self) -> Turned:
        """Believe no key that signed until now: another signs at once, and every token there is stops."""
        live = self._rings.find().having(State.SIGNING, State.VERIFYING)
        return self._turn(Wish(end=frozenset(key.kid for key in live)))

    def _turn(self, wish: Wish) -> Turned:
        done: list[Step] = []
        for _ in range(_STEPS):
            ring, now = self._rings.find(), self._now()
            if wish.next and (ring.having(State.PENDING) or rules.is_claimed(ring, now)):
                wish = Wish(end=wish.end)
            step = rules.due(ring, wish, self._times, now)
            if step is None:
                return Turned(tuple(done), ring)
            with suppress(RingMoved):
                self._do(step, ring, wish, now)
                done.append(step)
        raise RotationStuck(f"after {_STEPS} steps, the last of them to {done[-1] if done else 'read again'}")

    def _do(self, step: Step, ring: Ring, wish: Wish, now: int) -> None:
        match step:
            case Step.MAKE:
                self._make(ring, now)
            case Step.WAIT:
                self._sleep(1)
            case Step.PROMOTE | Step.END:
                self._rings.save(rules.promoted(ring, wish, now))
            case Step.RETIRE:
                self._rings.save(rules.retired(ring, self._times, now))
            case Step.CLOSE:
                self._close(ring)
            case Step.FORGET:
                self._rings.save(rules.forgotten(ring, now))

    def _close(self, ring: Ring) -> None:
        """Tell every sandbox of all that ended before KMS hears of the first: it may be slow, or refuse."""
        ended = rules.to_close(ring)
        for key in ended:
            revoke_key(self._revocations, key.kid, self._clock())
        self._keys.end(ended[0].arn)
        self._rings.save(rules.closed(ring, ended[0].kid))

    def _make(self, ring: Ring, now: int) -> None:
        """Make a key under a claim, so that two runs at once make one.

        A run that dies between KMS and the ring leaves a key behind that nobody knows: it never signs.
        """
        claim = str(self._new_id())
        self._rings.save(rules.claimed(ring, claim, now))
        made = self._keys.make()
        key = Key(made.kid, made.arn, ALGORITHM, made.public_key, State.PENDING, self._now())
        while (present := self._rings.find()).claim == claim:
            with suppress(RingMoved):
                self._rings.save(rules.with_key(present, key))
        if key.kid not in {one.kid for one in present.keys}:
            self._keys.end(key.arn)
            raise RingMoved

    def _now(self) -> int:
        return int(self._clock().timestamp())
