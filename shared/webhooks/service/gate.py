"""Whether a delivery that was claimed may be sent now, and if not, what it waits for."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from shared.webhooks.model import Delivery, EndpointId, Target, Wait
from shared.webhooks.repository.paces import PaceRepository
from shared.webhooks.repository.targets import TargetRepository
from shared.webhooks.rules import circuit
from shared.webhooks.service.order import Order
from tenant_context.aws import AwsError
from tenant_context.context import TenantContext

SLOW_SECONDS = 2.0
"""An endpoint that lets a call wait for longer is slow."""
SLOW_FOR = 600.0
"""Seconds for which it is known as that, from its last call that lasted."""
SLOW_AT_ONCE = 10
"""Calls of one tenant at once, in all sandboxes together, to endpoints that are known as slow: they have a queue and
sandboxes of their own, of which its hanging receivers hold no more."""
LASTING_AT_ONCE = 1
"""Likewise of calls that last and were thought to be quick: these hold sandboxes that everybody waits for."""
_SLOW, _LASTING = "slow", "lasting"
HUNG_UP = "We hung up after two seconds: another call of yours lasted as long. It is sent again, with more patience."
_SLACK = 15
_KNOWN_FOR = 60.0
"""Seconds for which a sandbox knows an endpoint as slow by itself."""
_MOST_KNOWN = 10_000


@dataclass(frozen=True, slots=True)
class Pass:
    """What the gate said: a call of the target, a wait (to be looked at again at `until`), or neither: it is deleted.

    `probe` is the end of its time where the attempt probes a circuit; `lane` is where it holds its turn, and `places`
    are those it holds among calls at once. `is_slow` where it is the sandboxes' of slow receivers to call.
    """

    target: Target | None
    wait: Wait | None = None
    until: float = 0
    probe: float | None = None
    lane: str = ""
    places: tuple[str, ...] = ()
    is_slow: bool = False

    @property
    def may_go(self) -> bool:
        """Whether it is to be called here and now."""
        return self.target is not None and self.wait is None and not self.is_slow


class Gate:
    """Judges one delivery after the other, by what DynamoDB says of its endpoint."""

    def __init__(self, targets: TargetRepository, paces: PaceRepository, order: Order) -> None:
        self._targets = targets
        self._paces = paces
        self._order = order
        self._known_slow: dict[EndpointId, float] = {}

    def judge(
        self,
        tenant: TenantContext,
        target: Target | None,
        delivery: Delivery,
        claim: str,
        lane: str,
        now: datetime,
        *,
        by_slow: bool,
    ) -> Pass:
        """Whether it may be sent; `target` is its endpoint as last written."""
        if target is None or target.is_deleted:
            return Pass(None, lane=lane)
        refused = self._of_endpoint(target, now)
        if refused is None and not by_slow and target.findings.slow_until > now.timestamp():
            self._know(target, now)
            refused = Pass(target, is_slow=True)
        if refused is None and lane and not self._order.has_turn(tenant, lane, delivery):
            refused = Pass(target, Wait.ORDER)
        if refused is None and not self._is_in_pace(tenant, target, now):
            refused = Pass(target, Wait.RATE)
        if refused is not None:
            return replace(refused, lane=lane)
        passed = self._at_once(tenant, target, claim, now)
        if passed.wait is None:
            passed = self._probing(tenant, passed, target, now)
        if passed.wait is not None:
            self.leave(tenant, passed, claim)
        return replace(passed, lane=lane) if lane else passed

    def is_known_slow(self, endpoint: EndpointId, now: datetime) -> bool:
        """Whether this sandbox remembers an endpoint as slow: nobody else has to be asked then."""
        return self._known_slow.get(endpoint, 0) > now.timestamp()

    def lasts(self, tenant: TenantContext, passed: Pass, claim: str, now: datetime, *, by_slow: bool) -> Pass:
        """A call lasts: its endpoint is known as slow, and it takes a place among its tenant's calls that last.

        Where there is none left it has to wait, or is one for the sandboxes of slow receivers. A mark or a place that
        cannot be written ends no call.
        """
        target = passed.target
        if target is None:
            return passed
        with suppress(AwsError):
            self._targets.mark_slow(tenant, target, now.timestamp() + SLOW_FOR)
        self._know(target, now)
        place, most = (_SLOW, SLOW_AT_ONCE) if by_slow else (_LASTING, LASTING_AT_ONCE)
        if place in passed.places:
            return passed
        until = now.timestamp() + target.manner.timeout_seconds + _SLACK
        try:
            has_room = self._paces.enter(tenant, place, claim, most, now=now, until=until)
        except AwsError:
            return passed
        if has_room:
            return replace(passed, places=(*passed.places, place))
        return replace(passed, wait=Wait.CONCURRENCY) if by_slow else replace(passed, is_slow=True)

    def leave(self, tenant: TenantContext, passed: Pass, claim: str) -> None:
        """Its call is over."""
        for place in passed.places:
            self._paces.leave(tenant, place, claim)

    def _know(self, target: Target, now: datetime) -> None:
        if len(self._known_slow) >= _MOST_KNOWN:
            self._known_slow.clear()
        self._known_slow[target.id] = now.timestamp() + _KNOWN_FOR

    @staticmethod
    def _of_endpoint(target: Target, now: datetime) -> Pass | None:
        found, moment = target.findings, now.timestamp()
        if not target.enabled or found.is_disabled:
            return Pass(target, Wait.ENDPOINT)
        if not target.is_proved:
            return Pass(target, Wait.VERIFICATION)
        if found.throttled_until > moment:
            return Pass(target, Wait.THROTTLE, found.throttled_until)
        if found.circuit is not None and found.circuit.until > moment:
            return Pass(target, Wait.CIRCUIT, found.circuit.until)
        return None

    def _is_in_pace(self, tenant: TenantContext, target: Target, now: datetime) -> bool:
        most = target.manner.rate_per_second
        return most is None or self._paces.take(tenant, str(target.id), most, now)

    def _at_once(self, tenant: TenantContext, target: Target, claim: str, now: datetime) -> Pass:
        until = now.timestamp() + target.manner.timeout_seconds + _SLACK
        places: list[str] = []
        for who, most in self._places(target, now):
            if not self._paces.enter(tenant, who, claim, most, now=now, until=until):
                return Pass(target, Wait.CONCURRENCY, places=tuple(places))
            places.append(who)
        return Pass(target, places=tuple(places))

    @staticmethod
    def _places(target: Target, now: datetime) -> Iterator[tuple[str, int]]:
        if target.manner.max_concurrency is not None:
            yield str(target.id), target.manner.max_concurrency
        if target.findings.slow_until > now.timestamp():
            yield _SLOW, SLOW_AT_ONCE

    def _probing(self, tenant: TenantContext, passed: Pass, target: Target, now: datetime) -> Pass:
        """Let it through; where a circuit is to be probed, one of all that ask at once."""
        if target.findings.circuit is None:
            return passed
        until = now.timestamp() + target.manner.timeout_seconds + circuit.PROBE_SLACK
        if self._targets.take_probe(tenant, target, until):
            return replace(passed, probe=until)
        return replace(passed, wait=Wait.CIRCUIT, until=until)
