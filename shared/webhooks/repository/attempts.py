"""Attempts under way: claimed before their calls, logged after them, and ended, those of a batch in one call each.

The table's items are those that `deliveries` tells of. The updates of a batch are sent as PartiQL, which is the only
way to send several that each have a condition and none of which is held up by another (decision record 0031); one that
did not get its answer is sent once more by itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from shared.outbound.model import Outcome
from shared.webhooks.model import Delivery, End, State, Wait
from shared.webhooks.repository import places
from shared.webhooks.repository.due import place
from shared.webhooks.rules.log import shown_answer
from tenant_context.aws import AwsError
from tenant_context.clock import rfc3339
from tenant_context.context import TenantContext
from tenant_context.dynamo import ConditionFailed, Item, Table, TenantTable, tenant_key
from tenant_context.dynamo_many import Update, Updated

LEASE = timedelta(seconds=75)
"""How long a claim holds: longer than the dispatcher may run, so that a claim outlives only a crash."""

_WAITING = State.WAITING.value
_HELD = State.HELD.value
_OPEN = (_WAITING, _HELD)
_OF_CLAIM = "pk = ? AND sk = ? AND claimed_by = ?"
_CLAIM = (
    'SET "state" = ? SET claimed_by = ? SET claimed_until = ? REMOVE gsi1pk REMOVE gsi1sk REMOVE held_for '
    'WHERE pk = ? AND sk = ? AND "state" IN [?, ?] AND attempts = ? AND claimed_until < ? RETURNING ALL NEW *'
)
_CLAIM_IN_PLACE = (
    "SET claimed_by = ? SET claimed_until = ? "
    'WHERE pk = ? AND sk = ? AND "state" = ? AND attempts = ? AND claimed_until < ? RETURNING ALL NEW *'
)
"""Of one that stays in its endpoint's backlog until it has ended.

Both without OR, which is not for sure told from a second key: what nobody is at is claimed until 0.
"""
_SHELF = ("gsi1pk", "gsi1sk", "held_for")
"""What has a delivery in a backlog."""
_REFUSED, _BROKEN = 400, 500
"""Statuses of AWS from which on it refused what was asked, and from which on it is what is wrong."""


class Claim:
    """An attempt that somebody asks for, by a name of their own; its ids are text, as which they are written often.

    `in_place` where the delivery stays in its endpoint's backlog until it has ended.
    """

    __slots__ = ("delivery", "endpoint", "in_place", "message", "name", "owner", "place", "tenant")

    def __init__(self, tenant: TenantContext, delivery: Delivery, name: str, *, in_place: bool = False) -> None:
        self.in_place = in_place
        self.tenant = tenant
        self.delivery = delivery
        self.name = name
        self.owner = str(tenant.tenant)
        self.message = str(delivery.message.id)
        self.endpoint = str(delivery.endpoint)
        self.place = self.key(places.of_message(self.message)), places.of_delivery(self.endpoint)

    def key(self, key: str) -> str:
        """A partition key within the tenant's share of the table."""
        return tenant_key(self.owner, key)


@dataclass(frozen=True, slots=True)
class Claimed:
    """The attempt is theirs: the lane of its delivery, if it has one, and after which attempt its schedule began."""

    lane: str = ""
    first: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """What the table says of a delivery: its state and how many attempts have ended."""

    state: State
    attempts: int


@dataclass(frozen=True, slots=True)
class Made:
    """What came of an attempt: where and when it was made, with which headers."""

    claim: Claim
    url: str
    at: datetime
    sent: Mapping[str, str]
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Ending:
    """What an attempt came to for its delivery: where it stands, and when the next attempt is due.

    `is_parked` where no queue holds that one; not `attempted` where there was no call, so that none is used up.
    """

    state: State
    next_at: datetime | None = None
    held_for: Wait | None = None
    is_parked: bool = False
    attempted: bool = True


class AttemptRepository:
    """Attempts of any tenants, each within its own tenant's share of the table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def claim(self, wanted: Sequence[Claim], now: datetime) -> list[Claimed | Standing | AwsError | None]:
        """Take attempts for those who ask, each where it is its delivery's next one and nobody is at it.

        Where it is not to be had, how the delivery stands; None where there is none (any more); an error where its
        partition has no room, which is no other's trouble.
        """
        until, second = int((now + LEASE).timestamp()), int(now.timestamp())
        updates = [
            Update(_CLAIM_IN_PLACE, (one.name, until, *one.place, _HELD, one.delivery.attempt - 1, second))
            if one.in_place
            else Update(_CLAIM, (_WAITING, one.name, until, *one.place, *_OPEN, one.delivery.attempt - 1, second))
            for one in wanted
        ]
        made = self._table.update_many(updates)
        return [self._claimed(one, answer, now) for one, answer in zip(wanted, made, strict=True)]

    def _claimed(self, claim: Claim, answer: Updated, now: datetime) -> Claimed | Standing | AwsError | None:
        if answer.raw is None:
            return self._claim_alone(claim, now) if answer.error or answer.is_made else None
        if answer.is_made or answer.get("claimed_by") == claim.name:  # one that was sent again found its own claim
            return Claimed(answer.get("lane", ""), answer.get("first", 0))
        if "claimed_until" not in answer.raw:  # the release before wrote no end where there was no claim
            return self._claim_alone(claim, now)
        return Standing(State(answer.get("state")), answer.get("attempts"))

    def _claim_alone(self, claim: Claim, now: datetime) -> Claimed | Standing | AwsError | None:
        try:
            return self._taken_alone(claim, now)
        except AwsError as error:
            return error

    def _taken_alone(self, claim: Claim, now: datetime) -> Claimed | Standing | None:
        try:
            item = self._of(claim).update(
                places.of_message(claim.delivery.message.id),
                places.of_delivery(claim.delivery.endpoint),
                "SET claimed_by = :claim, claimed_until = :until"
                + ("" if claim.in_place else f", #state = :waiting REMOVE {', '.join(_SHELF)}"),
                {
                    ":claim": claim.name,
                    ":until": int((now + LEASE).timestamp()),
                    ":held": _HELD,
                    ":ended": claim.delivery.attempt - 1,
                    ":now": int(now.timestamp()),
                    **({} if claim.in_place else {":waiting": _WAITING}),
                },
                condition=f"#state IN ({':held' if claim.in_place else ':waiting, :held'}) AND attempts = :ended AND "
                "(attribute_not_exists(claimed_until) OR claimed_until < :now OR claimed_by = :claim)",
                names={"#state": "state"},
            )
        except ConditionFailed:
            return self._find(claim)
        return Claimed(str(item.get("lane", "")), int(item.get("first", 0)))

    def _find(self, claim: Claim) -> Standing | None:
        delivery = claim.delivery
        item = self._of(claim).get(places.of_message(delivery.message.id), places.of_delivery(delivery.endpoint))
        return Standing(State(item["state"]), int(item["attempts"])) if item else None

    def record(self, made: Sequence[Made]) -> list[AwsError | None]:
        """Keep what came of calls, and answer for each what went wrong; repeating it changes nothing.

        Each claim's call is one of its own, whatever attempt it was of: a receiver may have taken it.
        One item that DynamoDB refuses has all of a call refused: each is written by itself then.
        """
        items = [self._logged(one) for one in made]
        try:
            self._table.put_many(items)
        except AwsError as error:
            if not _REFUSED <= error.status < _BROKEN or len(items) == 1:
                return [error] * len(items)
            return [self._write(item) for item in items]
        return [None] * len(items)

    def _write(self, item: Item) -> AwsError | None:
        try:
            self._table.put_many([item])
        except AwsError as error:
            return error
        return None

    @staticmethod
    def _logged(made: Made) -> Item:
        claim, outcome, at = made.claim, made.outcome, rfc3339(made.at)
        number = claim.delivery.attempt
        return {
            "pk": claim.place[0],
            "sk": places.of_attempt(claim.endpoint, number, claim.name),
            "tenant": claim.owner,
            "message": claim.message,
            "endpoint": claim.endpoint,
            "type": claim.delivery.message.type,
            "attempt": number,
            "at": at,
            "url": made.url,
            "sent": made.sent,
            "status": outcome.status,
            "answered": shown_answer(outcome.headers),
            "error": outcome.error,
            "body": outcome.body.decode(errors="replace"),
            "timing": outcome.timing,
            "expires_at": claim.delivery.message.keep_until,
            "gsi1pk": claim.key(places.attempts(claim.endpoint)),
            "gsi1sk": f"{at}#{claim.message}#{number:03}#{claim.name}",
        }

    def end(self, ended: Sequence[tuple[Claim, Ending]], *, now: datetime) -> list[AwsError | None]:
        """Say where deliveries stand after an attempt of the claim's holder; nothing if another has taken over.

        Answers for each what went wrong.
        """
        moment = rfc3339(now)
        changes = [self._changes(claim, end, moment) for claim, end in ended]
        updates = [
            Update(_end_text(tuple(change), _cleared(claim, change)), (*change.values(), *claim.place, claim.name))
            for (claim, _), change in zip(ended, changes, strict=True)
        ]
        answers = self._table.update_many(updates)
        return [
            self._end_alone(claim, change) if answer.error else None
            for (claim, _), change, answer in zip(ended, changes, answers, strict=True)
        ]

    def _end_alone(self, claim: Claim, changes: Mapping[str, Any]) -> AwsError | None:
        try:
            self._of(claim).update(
                places.of_message(claim.delivery.message.id),
                places.of_delivery(claim.delivery.endpoint),
                f"SET {', '.join(f'#{name} = :{name}' for name in changes)} "
                f"REMOVE {', '.join(('claimed_by', *_cleared(claim, changes)))}",
                {":claim": claim.name, **{f":{name}": value for name, value in changes.items()}},
                condition="claimed_by = :claim",
                names={f"#{name}": name for name in changes},
            )
        except ConditionFailed:
            return None
        except AwsError as error:
            return error
        return None

    def _changes(self, claim: Claim, end: Ending, now: str) -> dict[str, Any]:
        delivery = claim.delivery
        changes: dict[str, Any] = {
            "state": end.state.value,
            "attempts": delivery.attempt if end.attempted else delivery.attempt - 1,
            "updated_at": now,
            "next_attempt_at": rfc3339(end.next_at) if end.next_at else None,
            "claimed_until": 0,
        }
        if end.attempted:
            changes["ended_by"] = claim.name
        if end.held_for is not None:
            changes["held_for"] = end.held_for
        if end.state is State.DEAD:
            changes["dead_for"] = End.ATTEMPTS
        if index := self._index(claim, end):
            changes["gsi1pk"], changes["gsi1sk"] = index
        return changes

    @staticmethod
    def _index(claim: Claim, end: Ending) -> tuple[str, str] | None:
        """Where the delivery stands in the index, if it does."""
        endpoint = claim.delivery.endpoint
        if end.state is State.DEAD:
            return claim.key(places.dead(endpoint)), claim.message
        if end.state is State.HELD and end.held_for is not Wait.ORDER:
            return claim.key(places.held(endpoint)), claim.message
        if end.is_parked and end.next_at is not None:
            return place(end.next_at.timestamp(), f"{claim.message}#{claim.endpoint}")
        return None

    def _of(self, claim: Claim) -> TenantTable:
        return TenantTable(self._table, claim.tenant)


def _cleared(claim: Claim, changes: Mapping[str, Any]) -> tuple[str, ...]:
    """What held a delivery in its place and does so no more."""
    return tuple(name for name in _SHELF if name not in changes) if claim.in_place else ()


@lru_cache
def _end_text(names: tuple[str, ...], cleared: tuple[str, ...]) -> str:
    sets = " ".join(f'SET "{name}" = ?' for name in names)
    gone = " ".join(f"REMOVE {name}" for name in ("claimed_by", *cleared))
    return f"{sets} {gone} WHERE {_OF_CLAIM}"
