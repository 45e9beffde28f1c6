"""From an event to its first byte at the receiver: fan-out of one, a healthy receiver, 50 and 200 events a second."""

import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import cycle
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Self

from bench.contestants import WrongAnswerError
from bench.harness.report import Column, Goal, Result
from bench.harness.rounds import Contestant, Figures, Row, compete
from bench.line import Line, bus_event, line
from bench.receiver import HOST, Receiver, certificate, receiver
from bench.sandboxes import Interval, Sandboxes, Told, dispatch, fan_out
from bench.world import silence, world
from tenant_context.context import TenantContext

_COLUMNS = (
    Column("p50_ms", "p50 ms", 1),
    Column("p95_ms", "p95 ms", 1),
    Column("code_p95_ms", "our code p95", 1),
    Column("hop_p95_ms", "queue hop p95", 1),
    Column("aws_p95_ms", "waits for AWS p95", 1),
    Column("aws_calls", "AWS calls on the way", 1),
)
_CONVOY_MS = {50: 124.0, 200: 127.0}
"""What Convoy publishes as the p95 of its own benchmark, at these rates."""
_PATIENCE_S = 60.0
_TENANTS = 10
"""Each within its share of the queue, which is 50 a second."""
_HERE, _AT_ONCE = "here", "AWS answers at once"


def run(*, quick: bool, tell: Callable[[str], None]) -> Result:
    """Measure."""
    rounds, seconds = (1, 4.0) if quick else (3, 20.0)
    with ExitStack() as kept:
        place = kept.enter_context(world(campaigns=1))
        pair = kept.enter_context(certificate())
        taker = kept.enter_context(receiver(pair))
        made = kept.enter_context(line(place))
        tell("an endpoint and sandboxes")
        tenants = made.tenants(_TENANTS)
        made.endpoints([(tenant, f"https://{HOST}:{taker.port}/{tenant.tenant}") for tenant in tenants])
        here = kept.enter_context(_Line(made, tenants, taker, pair, None))
        at_once = kept.enter_context(_Line(made, tenants, taker, pair, get_context("spawn").Queue()))
        kept.enter_context(silence())
        rows = compete(
            [
                Contestant(f"{rate}/s, {name}", about, _turn(which, rate, seconds))
                for name, about, which in (
                    (_HERE, "real PostgreSQL, DynamoDB and SQS of the local endpoint", here),
                    (_AT_ONCE, "real PostgreSQL and receiver, AWS's answers canned, a queue of this machine", at_once),
                )
                for rate in _CONVOY_MS
            ],
            rounds,
            {},
            tell,
        )
    return Result("arrival", __doc__ or "", rounds, _COLUMNS, rows, _goals(rows), _NOTES)


class _Line:
    """Sandboxes of both functions and what feeds them."""

    def __init__(self, made: Line, tenants: list[TenantContext], taker: Receiver, pair: Path, canned: Any) -> None:
        self._tenants = cycle(tenants)
        self._taker = taker
        self._events: Any = get_context("spawn").Queue()
        self._canned = canned  # what nobody here holds is gone before a sandbox has begun
        self._fanouts = Sandboxes(fan_out, made, 2, self._events, canned)
        self._dispatchers = Sandboxes(dispatch, made, 2, str(pair), canned)

    def __enter__(self) -> Self:
        self._fanouts.__enter__()
        self._dispatchers.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._fanouts.__exit__()
        self._dispatchers.__exit__()

    def send(self, rate: int, seconds: float) -> list["_Way"]:
        """Send events at a rate, whatever becomes of those before, and follow each one's way."""
        self._taker.seen()
        due: dict[str, float] = {}
        began = time.time() + 0.1
        for number in range(int(rate * seconds)):
            name, event = bus_event(next(self._tenants))
            due[name] = began + number / rate
            time.sleep(max(0.0, due[name] - time.time()))
            self._events.put((name, event))
        seen: dict[str, float] = {}
        until = time.time() + _PATIENCE_S
        while len(seen) < len(due) and time.time() < until:
            time.sleep(0.2)
            seen |= self._taker.seen()
        if len(seen) < len(due):
            raise WrongAnswerError(f"{len(due) - len(seen)} events did not arrive")
        out, sent = _by_event(self._fanouts.tell()), _by_event(self._dispatchers.tell())
        return [_Way(due[name], out[name], sent[name], seen[name]) for name in due]


@dataclass(frozen=True)
class _Way:
    """One event's: when it was due, what was done with it, and when its first byte came."""

    due: float
    out: Told
    sent: Told
    came: float

    @property
    def total(self) -> float:
        return self.came - self.due

    @property
    def hop(self) -> float:
        return max(0.0, self.sent.began - self.out.sent)

    @property
    def calls(self) -> list[Interval]:
        return [
            *_within(self.out.calls, self.out.began, self.out.sent),
            *_within(self.sent.calls, self.sent.began, self.came),
        ]

    @property
    def aws(self) -> float:
        return sum(end - begin for begin, end in self.calls)

    @property
    def code(self) -> float:
        return self.total - self.hop - self.aws


def _within(calls: Iterable[Interval], since: float, until: float) -> list[Interval]:
    return [(begin, end) for begin, end in calls if since <= begin and end <= until]


def _by_event(told: Iterable[Told]) -> dict[str, Told]:
    return {name: one for one in told for name in one.events}


def _turn(made: _Line, rate: int, seconds: float) -> Callable[[], Figures]:
    def turn() -> Figures:
        ways = made.send(rate, seconds)
        return {
            "p50_ms": _percentile(ways, lambda way: way.total, 0.5),
            "p95_ms": _percentile(ways, lambda way: way.total, 0.95),
            "code_p95_ms": _percentile(ways, lambda way: way.code, 0.95),
            "hop_p95_ms": _percentile(ways, lambda way: way.hop, 0.95),
            "aws_p95_ms": _percentile(ways, lambda way: way.aws, 0.95),
            "aws_calls": sum(len(way.calls) for way in ways) / len(ways),
        }

    return turn


def _percentile(ways: list[_Way], part: Callable[[_Way], float], which: float) -> float:
    found = sorted(part(way) for way in ways)
    return found[min(len(found) - 1, int(len(found) * which))] * 1000


def _goals(rows: list[Row]) -> list[Goal]:
    goals = []
    for rate, convoy in _CONVOY_MS.items():
        found = {name: row for row in rows for name in (_HERE, _AT_ONCE) if row.name == f"{rate}/s, {name}"}
        for name, row in found.items():
            p95 = row.median("p95_ms")
            reached = p95 <= convoy
            reason = (
                "" if reached or name == _AT_ONCE else "The local AWS endpoint answers on one core for all of them."
            )
            wanted = f"p95 from the fan-out, {row.name}: at most Convoy's {convoy:.0f} ms"
            goals.append(Goal(wanted, f"{p95:.1f} ms", reached, reason))
    return goals


_NOTES = (
    "From the moment an event is due to the first byte of its request at a receiver over TLS, connections kept.",
    "Our code is the whole without the hop and without waits for AWS; it holds waits for a free sandbox.",
    "Outbox, bus and the queue before the fan-out are not on this way: their hop is AWS's own.",
    "Convoy's figures are those it publishes, of machines of its own; ours are of this one, which also plays AWS.",
    "On AWS: our code, as many waits as AWS calls (each some milliseconds), and SQS's hop to Lambda.",
)
