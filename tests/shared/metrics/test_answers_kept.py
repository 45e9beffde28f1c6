"""A kept answer is served while all that it depends on is as it was, and never after; many who ask at once cost one."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from threading import Barrier, Lock
from typing import Any

import msgspec
import pytest

from shared.metrics.gateway import SharedAnswers
from shared.metrics.model import EVERYBODY, Metric, RankAsk
from shared.metrics.service import metrics as service
from shared.metrics.service.cache import Answers, Level
from shared.metrics.service.metrics import Metrics
from tenant_context.aws import AwsClient
from tenant_context.clock import utc_now
from tenant_context.context import TenantContext
from tenant_context.dynamo import Table
from tenant_context.postgres import Database
from tests.asking import metrics_of, question
from tests.conftest import Clone
from tests.integration.chain import Chain

Tenants = tuple[TenantContext, TenantContext]
WEEK = ("2026-03-02", "2026-03-09", "day")


@pytest.fixture
def chain(database: Database, two_tenants: Tenants) -> Chain:
    return Chain(database, two_tenants[0]).build()


@pytest.fixture
def shared(table_name: str) -> Iterator[SharedAnswers]:
    with closing(AwsClient("dynamodb")) as wire:
        yield SharedAnswers(Table(table_name, wire), utc_now)


def ask(metrics: Metrics, chain: Chain, name: str | None = None, **how: Any) -> tuple[int | None, str]:
    place = chain.places[name] if name else EVERYBODY
    kept = metrics.series(chain.tenant, question(place, *WEEK, **how))
    return msgspec.json.decode(kept.content)["total"], kept.level


@pytest.mark.parametrize("name", ["alpha", "foyer", "north", "region", None])
def test_an_answer_is_kept_until_something_is_counted(chain: Chain, shared: SharedAnswers, name: str | None) -> None:
    metrics = metrics_of(chain.database, shared)
    chain.push([(0, 0, 40, 15, 5, 0)], at=0)
    assert ask(metrics, chain, name) == (5, Level.MISS)
    assert ask(metrics, chain, name) == (5, Level.SANDBOX)
    chain.push([(0, 0, 40, 15, 9, 0)], at=1)
    assert ask(metrics, chain, name) == (9, Level.MISS)
    chain.deliver(-1)  # the same once more changes nothing, so the answer holds
    assert ask(metrics, chain, name) == (9, Level.SANDBOX)


def test_what_is_counted_elsewhere_or_in_another_time_leaves_it(chain: Chain, shared: SharedAnswers) -> None:
    metrics = metrics_of(chain.database, shared)
    chain.push([(sensor, start, 40, 15, 5, 0) for sensor in range(4) for start in (0, 1)], at=0)
    ask(metrics, chain, "alpha")
    chain.push([(2, 0, 40, 15, 9, 0)], at=1)
    assert ask(metrics, chain, "alpha") == (10, Level.SANDBOX)
    kept = question(chain.places["alpha"], "2026-02-01", "2026-02-08", "day")
    metrics.series(chain.tenant, kept)
    chain.push([(0, 1, 40, 15, 9, 0)], at=1)  # in the end of March
    assert metrics.series(chain.tenant, kept).level == Level.SANDBOX


def moved(chain: Chain) -> None:
    chain.move("alpha", "south")


def turned(chain: Chain) -> None:
    chain.turn("alpha", "Asia/Kolkata")


def retired(chain: Chain) -> None:
    with chain.database.transaction(chain.tenant) as tx:
        tx.run("UPDATE sensors SET status = 'retired', updated_at = '2026-03-07' WHERE id = %s", (chain.sensors[0],))


def registered(chain: Chain) -> None:
    chain.sensor("alpha", None)


def sold(chain: Chain) -> None:
    chain.sell([("alpha", 1, 3, "EUR", 9, False)], at=0)
    chain.sell([("alpha", 1, 3, "EUR", 12, False)], at=1)


@pytest.mark.parametrize("change", [moved, turned, retired, registered, sold])
def test_whatever_it_depends_on_voids_it(chain: Chain, shared: SharedAnswers, change: Callable[[Chain], None]) -> None:
    metrics = metrics_of(chain.database, shared)
    chain.push([(0, 0, 40, 15, 5, 0)], at=0)
    about = question(chain.places["north"], "2026-03-01", "2026-04-01", "day", "footfall", "revenue")
    metrics.series(chain.tenant, about)
    change(chain)
    kept = metrics.series(chain.tenant, about)
    assert kept.level == Level.MISS
    assert kept.content == metrics_of(chain.database).series(chain.tenant, about).content


def test_what_was_kept_of_other_definitions_is_void(
    chain: Chain, shared: SharedAnswers, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain.push([(0, 0, 40, 15, 5, 0)], at=0)
    metrics, days = (
        metrics_of(chain.database, shared),
        (datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 9, tzinfo=UTC)),
    )

    def levels() -> list[Level]:
        ranking = metrics.ranking(chain.tenant, RankAsk(EVERYBODY, Metric.FOOTFALL, *days), None, 10)
        return [metrics.series(chain.tenant, question(EVERYBODY, *WEEK)).level, ranking.level]

    levels()
    assert levels() == [Level.SANDBOX] * 2
    monkeypatch.setattr(service, "_DEFINITIONS", 0)
    assert levels() == [Level.MISS] * 2


def test_another_sandbox_takes_what_one_worked_out(chain: Chain, shared: SharedAnswers) -> None:
    chain.push([(0, 0, 40, 15, 5, 0)], at=0)
    assert ask(metrics_of(chain.database, shared), chain) == (5, Level.MISS)
    other = metrics_of(chain.database, shared)
    assert ask(other, chain) == (5, Level.SHARED)
    assert ask(other, chain) == (5, Level.SANDBOX)
    chain.push([(0, 0, 40, 15, 6, 0)], at=1)
    assert ask(metrics_of(chain.database, shared), chain) == (6, Level.MISS)


def test_globex_gets_nothing_of_what_acme_asked(chain: Chain, shared: SharedAnswers, two_tenants: Tenants) -> None:
    metrics = metrics_of(chain.database, shared)
    chain.push([(0, 0, 40, 15, 5, 0)], at=0)
    ask(metrics, chain)
    other = Chain(chain.database, two_tenants[1]).build()
    for one in (metrics, metrics_of(chain.database, shared)):
        kept = one.series(other.tenant, question(EVERYBODY, *WEEK))
        assert (kept.level, msgspec.json.decode(kept.content)["total"]) in {(Level.MISS, None), (Level.SANDBOX, None),
                                                                            (Level.SHARED, None)}  # fmt: skip


@pytest.fixture
def sandboxes(clone: Clone) -> Iterator[list[Database]]:
    opened = [Database(clone.settings(), clock=utc_now) for _ in range(10)]
    yield opened
    for one in opened:
        one.close()


def test_ten_sandboxes_that_ask_the_same_at_once_work_it_out_once(
    chain: Chain, table_name: str, sandboxes: list[Database]
) -> None:
    chain.push([(0, 0, 40, 15, 5, 0)], at=0)
    together = Barrier(len(sandboxes))

    def one(database: Database) -> tuple[int | None, str]:
        with closing(AwsClient("dynamodb")) as wire:
            metrics = metrics_of(database, SharedAnswers(Table(table_name, wire), utc_now))
            together.wait()
            return ask(metrics, chain)

    with ThreadPoolExecutor(len(sandboxes)) as pool:
        told = list(pool.map(one, sandboxes))
    assert [total for total, _ in told] == [5] * len(sandboxes)
    assert [level for _, level in told].count(Level.MISS) == 1


def test_fifty_in_one_sandbox_work_it_out_once(shared: SharedAnswers, two_tenants: Tenants) -> None:
    answers, made, lock = Answers(shared), [0], Lock()
    together = Barrier(50)

    def make() -> bytes:
        with lock:
            made[0] += 1
        return b"{}"

    def one(_: int) -> bytes:
        together.wait()
        return answers(two_tenants[0], "same", "1", make, heavy=True)[0]

    with ThreadPoolExecutor(50) as pool:
        assert set(pool.map(one, range(50))) == {b"{}"}
    assert made == [1]


def test_whoever_worked_it_out_and_died_holds_nobody_up_for_long(shared: SharedAnswers, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    assert shared.begin(acme, "same", "1")
    assert not shared.begin(acme, "same", "1")
    assert shared.begin(acme, "same", "2")  # of other numbers
    shared.end(acme, "same", "2")
    assert shared.begin(acme, "same", "2")


def test_what_cannot_be_worked_out_is_let_go_of(shared: SharedAnswers, two_tenants: Tenants) -> None:
    answers = Answers(shared)

    def fail() -> bytes:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        answers(two_tenants[0], "same", "1", fail, heavy=True)
    assert answers(two_tenants[0], "same", "1", lambda: b"2", heavy=True) == (b"2", Level.MISS)


def test_without_dynamodb_it_is_answered_all_the_same(chain: Chain) -> None:
    chain.push([(0, 0, 40, 15, 5, 0)], at=0)
    with closing(AwsClient("dynamodb")) as wire:
        gone = SharedAnswers(Table("there-is-no-such-table", wire), utc_now)
        assert ask(metrics_of(chain.database, gone), chain) == (5, Level.MISS)


def test_a_sandbox_keeps_no_more_than_its_bytes(two_tenants: Tenants) -> None:
    answers = Answers(None, most_bytes=100)
    for number in range(20):
        answers(two_tenants[0], str(number), "1", lambda: b"x" * 30, heavy=False)
    told = [answers(two_tenants[0], str(number), "1", lambda: b"y", heavy=False)[1] for number in (19, 18, 17)]
    assert told == [Level.SANDBOX] * 3
    assert answers(two_tenants[0], "0", "1", lambda: b"y", heavy=False)[1] == Level.MISS


def test_how_fresh_it_is_is_told_anew(chain: Chain) -> None:
    metrics = metrics_of(chain.database)
    chain.push([(0, 0, 40, 15, 5, 0)], at=0)
    about = question(chain.places["alpha"], "2026-02-01", "2026-02-08", "day")
    metrics.series(chain.tenant, about)
    chain.push([(0, 1, 40, 15, 5, 0)], at=0)
    kept = metrics.series(chain.tenant, about)
    assert kept.level == Level.SANDBOX
    fresh = datetime.fromisoformat(msgspec.json.decode(kept.content)["freshness"])
    assert fresh == datetime(2026, 3, 28, 10, 15, tzinfo=UTC)  # where its newest quarter ends
