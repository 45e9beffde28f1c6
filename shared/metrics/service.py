"""Metrics, as a function uses them."""

from uuid import UUID

from shared.metrics import rules
from shared.metrics.model import Metric, Range
from shared.metrics.repository import MetricsRepository
from tenant_context.clock import Clock
from tenant_context.context import TenantContext


class Metrics:
    """Reads what happened in the caller's stores."""

    def __init__(self, repository: MetricsRepository, clock: Clock) -> None:
        self._repository = repository
        self._clock = clock

    def series(self, tenant: TenantContext, site: UUID, metric: Metric, span: Range) -> bytes:
        """The JSON of a metric over a range. Errors: SiteNotFound, RangeOrder, RangeTooLong."""
        rules.check_range(span)
        return self._repository.series(tenant, site, metric, span)

    def occupancy(self, tenant: TenantContext, site: UUID) -> bytes:
        """The JSON of who is inside now. Errors: SiteNotFound."""
        return self._repository.occupancy(tenant, site, self._clock())
