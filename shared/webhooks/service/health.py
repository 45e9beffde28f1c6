"""What an attempt's outcome says of its endpoint: that it is well, rests, is asked too much, is gone, is given up.

All of it stands beside the dispatcher's copy of the endpoint, in DynamoDB. Owners are told by events of the bus, before
it is noted that they were: rather twice than never. Who tells it again tells the same event, whose id follows from what
it is of, and since when.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from shared.events.rules.catalogue import ENDPOINT_DISABLED, ENDPOINT_FAILING
from shared.outbound.model import Outcome
from shared.webhooks.model import Circuit, Findings, Target
from shared.webhooks.repository.targets import TargetRepository
from shared.webhooks.rules import circuit, retries
from shared.webhooks.rules.told import event_id
from shared.webhooks.service.backlog import Backlog
from tenant_context.bus import Bus
from tenant_context.clock import Clock, rfc3339
from tenant_context.context import TenantContext
from tenant_context.events import Event
from tenant_context.observability import Observability


class Untold(Exception):
    """The bus did not take an event; whoever emitted it tries again."""


class Health:
    """Notes outcomes."""

    def __init__(
        self, targets: TargetRepository, backlog: Backlog, bus: Bus, *, observability: Observability, clock: Clock
    ) -> None:
        self._targets = targets
        self._backlog = backlog
        self._bus = bus
        self._observability = observability
        self._clock = clock

    def delivered(self, tenant: TenantContext, target: Target) -> None:
        """A delivery succeeded; what rested goes on."""
        if not target.findings.has_trouble:
            return
        self._targets.mark_well(tenant, target)
        if target.findings.circuit or target.findings.throttled_until:
            self._backlog.wake(tenant, target.id)

    def gone(self, tenant: TenantContext, target: Target, outcome: Outcome) -> None:
        """The receiver answered 410; of a batch that was called beside each other the first one is news.

        Since when it fails is noted first, which stays where a run dies before the rest: the event is known by it.
        """
        now, known = self._clock(), self._targets.find(tenant, target.id)
        if known is None or known.version != target.version or known.findings.gone_at is not None:
            return
        since = self._targets.mark_failing(tenant, target, outcome.error, now).failing_since or rfc3339(now)
        what = {"reason": "gone", "failing_since": known.findings.failing_since}
        self._tell(tenant, _event(tenant, target, ENDPOINT_DISABLED, what, datetime.fromisoformat(since), since), now)
        self._targets.mark_gone(tenant, known, now)

    def failed(self, tenant: TenantContext, target: Target, outcome: Outcome, probe: float | None) -> None:
        """A delivery failed; `probe` is the end of its time where it was the one that probed a circuit."""
        now = self._clock()
        seconds = retries.throttle(outcome.status, retries.retry_after_seconds(outcome.retry_after, now))
        if seconds:
            self._targets.throttle(tenant, target, now.timestamp() + seconds)
        found = self._targets.mark_failing(tenant, target, outcome.error, now)
        if probe is not None or found.failures >= circuit.FAILURES:
            self._rest(tenant, target, now, probe)
        self._warn(tenant, target, found, now)

    def _rest(self, tenant: TenantContext, target: Target, now: datetime, probe: float | None) -> None:
        before = target.findings.circuit
        trips = before.trips if before and probe is not None else 0
        until = now.timestamp() + circuit.rest(trips)
        if self._targets.open_circuit(tenant, target, Circuit(until, trips + 1), probe):
            self._backlog.wake(tenant, target.id, until)
            self._observability.info("webhook endpoint rests", endpoint=str(target.id), trips=trips + 1)

    def _warn(self, tenant: TenantContext, target: Target, found: Findings, now: datetime) -> None:
        if found.failing_since is None or found.is_disabled:
            return
        since = datetime.fromisoformat(found.failing_since)
        warned_at = datetime.fromisoformat(found.warned_at) if found.warned_at else None
        what: dict[str, object] = {"failing_since": found.failing_since, "reason": found.failing_reason}
        if circuit.is_given_up(since, found.warned, warned_at, now):
            due, what = circuit.given_up_at(since, warned_at or now), {**what, "reason": "failing"}
            self._tell(tenant, _event(tenant, target, ENDPOINT_DISABLED, what, due, found.failing_since), now)
            self._targets.give_up(tenant, replace(target, findings=found), now)
        elif (stage := circuit.stage(since, now)) > found.warned:
            due, ends = circuit.stage_at(since, stage), rfc3339(circuit.ends_at(since, now))
            what |= {"stage": stage, "disabled_from": ends}
            self._tell(tenant, _event(tenant, target, ENDPOINT_FAILING, what, due, found.failing_since), now)
            self._targets.mark_warned(tenant, target, stage, now)

    def _tell(self, tenant: TenantContext, event: Event, now: datetime) -> None:
        if not self._bus.put([event.envelope(tenant.tenant, now)]):
            raise Untold(event.type)


def _event(
    tenant: TenantContext, target: Target, kind: str, what: Mapping[str, object], due: datetime, since: str
) -> Event:
    """What is told of an endpoint that fails since a moment, once for each stage, and when that was due."""
    data = {"id": str(target.id), "url": target.url, "version": target.version, **what}
    named = event_id(due, tenant.tenant, target.id, target.version, kind, what.get("stage"), since)
    return Event(kind, f"webhook-endpoint/{target.id}", data, named)
