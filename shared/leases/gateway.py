"""Leases in DynamoDB, by which timed work is started once, and by the next call when a run failed midway.

A lease is held while its run is at work, and done once the run has ended well. A run that fails gives it back; one
that dies without a word holds it for `HELD_SECONDS`. How far it came stays with the lease, and the next goes on there.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from pynamodb.attributes import BooleanAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.exceptions import UpdateError
from pynamodb.expressions.update import Action
from pynamodb.models import Model

HELD_SECONDS = 90
"""Longer than a run may take, and shorter than its time-out with the minute that Lambda waits before it tries again."""
_KEPT_SECONDS = 48 * 3600
"""A slot's lease outlives every retry of its call."""


@dataclass(slots=True)
class Lease:
    """A slot of a job, held by one run; `mark` is how far the work came, in the run's own words."""

    job: str
    slot: str
    mark: str = ""


class Leases:
    """Which timed runs were started; the schedule calls at least once, and a lease makes it once."""

    def __init__(self, table: str, region: str, host: str | None) -> None:
        meta = type("Meta", (), {"table_name": table, "region": region, "host": host})
        self._model: type[_Lease] = type("Lease", (_Lease,), {"Meta": meta})

    @contextmanager
    def held(self, job: str, slot: str, now: datetime) -> Iterator[Lease | None]:
        """The lease of a slot for the length of the block; None where another run has it or has done the work."""
        lease = self._take(job, slot, now)
        try:
            yield lease
        except Exception:
            if lease is not None:
                self._say(lease, _Lease.held_until.set(0))
            raise
        if lease is not None:
            self._say(lease, _Lease.done.set(True))

    def note(self, lease: Lease) -> None:
        """Keep how far the work came, for whoever goes on should this run die."""
        self._say(lease)

    def _take(self, job: str, slot: str, now: datetime) -> Lease | None:
        moment = int(now.timestamp())
        row = self._model(f"job#{job}", slot)
        free = _Lease.pk.does_not_exist() | ((_Lease.done == False) & (_Lease.held_until <= moment))  # noqa: E712
        actions: list[Action] = [
            _Lease.taken_at.set(now.isoformat()),
            _Lease.held_until.set(moment + HELD_SECONDS),
            _Lease.expires_at.set(moment + _KEPT_SECONDS),
            _Lease.done.set(False),
        ]
        try:
            row.update(actions=actions, condition=free)
        except UpdateError as error:
            if error.cause_response_code == "ConditionalCheckFailedException":
                return None
            raise
        return Lease(job, slot, row.mark or "")

    def _say(self, lease: Lease, *more: Action) -> None:
        self._model(f"job#{lease.job}", lease.slot).update(actions=[_Lease.mark.set(lease.mark), *more])


class _Lease(Model):
    """A job's slot at `job#<name>`; `taken_at` is when its latest run began."""

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    taken_at = UnicodeAttribute()
    held_until = NumberAttribute()
    expires_at = NumberAttribute()
    done = BooleanAttribute()
    mark = UnicodeAttribute(null=True)
