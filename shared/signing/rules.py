"""What to do next with a ring, and what the ring is like afterwards: no clock, no store."""

from dataclasses import replace

from shared.signing.model import Key, Ring, Step, Times, Wish
from tenant_context.key_ring import State

CLAIM_SECONDS = 60
"""Longer than KMS takes to make a key; after that whoever claimed it is taken for dead."""
REMEMBERED_SECONDS = 60 * 86_400
"""KMS deletes a key after thirty days; the ring tells of it for another thirty."""


def due(ring: Ring, wish: Wish, times: Times, now: int) -> Step | None:
    """The next step, or None when all is as it should be."""
    pending = ring.having(State.PENDING)
    signing = ring.having(State.SIGNING)
    lost = any(key.kid in wish.end for key in ring.having(State.SIGNING, State.VERIFYING))
    step: Step | None = None
    if lost or not signing:
        promote = Step.END if lost else Step.PROMOTE
        make = Step.WAIT if is_claimed(ring, now) else Step.MAKE
        step = promote if pending else make
    elif to_close(ring):
        step = Step.CLOSE
    elif pending and now - pending[0].made_at >= times.publish_for:
        step = Step.PROMOTE
    elif _retiring(ring, times, now):
        step = Step.RETIRE
    elif _is_next_due(ring, wish, times, now) and not is_claimed(ring, now):
        step = Step.MAKE
    elif _forgotten(ring, now):
        step = Step.FORGET
    return step


def is_claimed(ring: Ring, now: int) -> bool:
    """Whether somebody is making a key."""
    return now < ring.claimed_until


def claimed(ring: Ring, claim: str, now: int) -> Ring:
    """The ring while one run, and no other, makes a key."""
    return replace(ring, claim=claim, claimed_until=now + CLAIM_SECONDS)


def with_key(ring: Ring, key: Key) -> Ring:
    """The ring with a key that was made under the present claim."""
    return replace(ring, keys=(*ring.keys, key), claim="", claimed_until=0)


def promoted(ring: Ring, wish: Wish, now: int) -> Ring:
    """The pending key signs; the one before is believed for as long as its tokens live, or no more if it is to end."""
    (first, *_) = ring.having(State.PENDING)
    return replace(ring, keys=tuple(_after_promotion(key, first, wish, now) for key in ring.keys))


def _after_promotion(key: Key, first: Key, wish: Wish, now: int) -> Key:
    if key is first:
        return replace(key, state=State.SIGNING, signing_at=now)
    if key.kid in wish.end and key.state in (State.SIGNING, State.VERIFYING):
        return replace(key, state=State.RETIRED, retired_at=now)
    if key.state is State.SIGNING:
        return replace(key, state=State.VERIFYING, verifying_at=now)
    return key


def retired(ring: Ring, times: Times, now: int) -> Ring:
    """Without the keys whose last tokens have expired."""
    going = _retiring(ring, times, now)
    keys = (replace(key, state=State.RETIRED, retired_at=now) if key in going else key for key in ring.keys)
    return replace(ring, keys=tuple(keys))


def to_close(ring: Ring) -> tuple[Key, ...]:
    """The retired keys that KMS is still to delete."""
    return tuple(key for key in ring.having(State.RETIRED) if not key.closed)


def closed(ring: Ring, kid: str) -> Ring:
    """The ring when KMS has been told to delete a key."""
    return replace(ring, keys=tuple(replace(key, closed=True) if key.kid == kid else key for key in ring.keys))


def forgotten(ring: Ring, now: int) -> Ring:
    """Without keys that were deleted long ago."""
    going = _forgotten(ring, now)
    return replace(ring, keys=tuple(key for key in ring.keys if key not in going))


def _is_next_due(ring: Ring, wish: Wish, times: Times, now: int) -> bool:
    if ring.having(State.PENDING):
        return False
    return wish.next or all(now - (key.signing_at or 0) >= times.rotate_after for key in ring.having(State.SIGNING))


def _retiring(ring: Ring, times: Times, now: int) -> tuple[Key, ...]:
    verifying = ring.having(State.VERIFYING)
    return tuple(key for key in verifying if now - (key.verifying_at or 0) >= times.overlap)


def _forgotten(ring: Ring, now: int) -> tuple[Key, ...]:
    gone = ring.having(State.RETIRED)
    return tuple(key for key in gone if key.closed and now - (key.retired_at or now) >= REMEMBERED_SECONDS)
