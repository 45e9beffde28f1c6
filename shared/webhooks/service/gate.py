"""Whether a delivery that was claimed may be sent now, and if not, what it waits for."""

from dataclasses import dataclass
from datetime import datetime

from shared.webhooks.model import Delivery, Target, Wait
from shared.webhooks.repository.targets import TargetRepository
from shared.webhooks.rules import circuit
from tenant_context.context import TenantContext


@dataclass(frozen=True, slots=True)
class Pass:
    """What the gate said: a call of the target, a wait (to be looked at again at `until`), or neither: it is deleted.

    `probe` is the end of its time where the attempt probes a circuit.
    """

    target: Target | None
    wait: Wait | None = None
    until: float = 0
    probe: float | None = None


class Gate:
    """Judges one delivery after the other, by what DynamoDB says of its endpoint."""

    def __init__(self, targets: TargetRepository) -> None:
        self._targets = targets

    def judge(self, tenant: TenantContext, delivery: Delivery, now: datetime) -> Pass:
        """Whether it may be sent."""
        target = self._targets.find(tenant, delivery.endpoint)
        if target is None or target.is_deleted:
            return Pass(None)
        return self._of_endpoint(target, now) or self._probing(tenant, target, now)

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

    def _probing(self, tenant: TenantContext, target: Target, now: datetime) -> Pass:
        """Let it through; where a circuit is to be probed, one of all that ask at once."""
        if target.findings.circuit is None:
            return Pass(target)
        until = now.timestamp() + target.manner.timeout_seconds + circuit.PROBE_SLACK
        if self._targets.take_probe(tenant, target, until):
            return Pass(target, probe=until)
        return Pass(target, Wait.CIRCUIT, until)
