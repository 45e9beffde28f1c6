"""Questions about metrics, as the function's wiring would have them answered."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

from shared.metrics.gateway import SharedAnswers
from shared.metrics.model import EVERYBODY, Ask, Granularity, Metric, Range
from shared.metrics.repository.facts import FactRepository
from shared.metrics.repository.heads import HeadRepository
from shared.metrics.repository.ranking import RankingRepository
from shared.metrics.service.cache import Answers
from shared.metrics.service.metrics import Metrics
from shared.metrics.service.reading import Reading
from tenant_context.clock import Clock
from tenant_context.context import TenantContext
from tenant_context.postgres import Database

LONG_AFTER = datetime(2031, 1, 1, tzinfo=UTC)
"""When questions are asked unless a test says when: whatever was counted is over."""


def metrics_of(database: Database, shared: SharedAnswers | None = None, clock: Clock = lambda: LONG_AFTER) -> Metrics:
    """The service on a database; with what sandboxes share, where that is given."""
    heads = HeadRepository(database)
    reading = Reading(heads, FactRepository(database))
    return Metrics(heads, reading, RankingRepository(database), Answers(shared), clock)


def question(place: UUID, since: str | datetime, until: str | datetime, step: str, *metrics: str, **how: Any) -> Ask:
    """A question in the domain's words; moments without a zone are of UTC."""
    names = tuple(map(Metric, metrics)) or (Metric.FOOTFALL,)
    return Ask(place, names, Range(_moment(since), _moment(until), Granularity(step)), **how)


def asked(database: Database, tenant: TenantContext, place: UUID | None, *about: Any, **how: Any) -> dict[str, Any]:
    """What is answered, worked out anew."""
    found: dict[str, Any] = msgspec.json.decode(
        metrics_of(database).series(tenant, question(place or EVERYBODY, *about, **how)).content
    )
    return found


def _moment(said: str | datetime) -> datetime:
    moment = datetime.fromisoformat(said) if isinstance(said, str) else said
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
