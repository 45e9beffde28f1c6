"""What arrives, watched: sensors' health, limits of occupancy, alerts. What an arrival leaves behind, a job does."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.alerts.repository.watched import WatchedRepository
from shared.alerts.service.judging import Judging
from shared.occupancy.service import Limits
from shared.sites.service.health import tell_health
from tenant_context.context import TenantContext
from tenant_context.postgres import Database, Transaction

_OF_A_RECEIPT = 7
"""Values of a receipt in the queue, of which the first is its store."""


class Watch:
    """Told of every part that is written; judges what it touches once it is committed, in a transaction of its own.

    So nothing that is judged wrongly keeps a row from being written, and nobody waits who has no rules.
    """

    def __init__(self, database: Database, watched: WatchedRepository, limits: Limits, judging: Judging) -> None:
        self._database = database
        self._watched = watched
        self._limits = limits
        self._judging = judging

    def __call__(self, tx: Transaction, parts: Sequence[tuple[Mapping[str, Any], object]]) -> None:
        """Tell of sensors' health at once, and of the rest after the commit."""
        heard = sorted({UUID(beat[0]) for data, _ in parts for beat in data.get("beats", ())})
        if heard:
            tell_health(tx, heard)
        rows = [row for data, _ in parts for row in data["rows"]]
        if rows and self._watched.any(tx):
            tx.after_commit(lambda: self._judge(tx.tenant, rows))

    def _judge(self, tenant: TenantContext, rows: Sequence[Sequence[Any]]) -> None:
        newest: dict[UUID, datetime] = {}
        stores: set[UUID] = set()
        for row in rows:
            if len(row) == _OF_A_RECEIPT:
                stores.add(UUID(row[0]))
                continue
            sensor, start = UUID(row[0]), datetime.fromisoformat(row[2])
            newest[sensor] = max(start, newest.get(sensor, start))
        with self._database.transaction(tenant) as tx:
            if newest:
                self._limits.judge(tx, newest)
                stores |= set(self._watched.places(tx, list(newest)))
            self._judging(tx, sorted(stores))


class Patrol:
    """One tenant's share of watching by the clock: what does not come, and what an arrival left behind."""

    def __init__(self, limits: Limits, judging: Judging) -> None:
        self._limits = limits
        self._judging = judging

    def __call__(self, tx: Transaction) -> dict[str, Any]:
        """Do it; answers how much was told."""
        return {"health": tell_health(tx), "limits": self._limits.sweep(tx), "alerts": self._judging(tx)}
