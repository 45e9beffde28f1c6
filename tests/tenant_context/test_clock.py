"""Ids that sort by time, and moments as the wire writes them."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from uuid import RFC_4122, UUID

import pytest

from tenant_context.clock import rfc3339, utc_now, uuid7


def test_an_id_is_a_version_7_of_the_rfc() -> None:
    for _ in range(200):
        made = uuid7()
        assert (made.version, made.variant) == (7, RFC_4122)


def test_an_id_tells_its_millisecond() -> None:
    before = time.time_ns() // 1_000_000
    told = uuid7().int >> 80
    assert before <= told <= time.time_ns() // 1_000_000


def test_ids_of_later_milliseconds_sort_later(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter(range(10**18, 10**18 + 500 * 10**6, 10**6))
    monkeypatch.setattr(time, "time_ns", lambda: next(moments))
    made = [uuid7() for _ in range(500)]
    assert made == sorted(made)
    assert [str(one) for one in made] == sorted(str(one) for one in made)


def test_no_id_is_made_twice() -> None:
    assert len({uuid7() for _ in range(20_000)}) == 20_000


def test_every_random_bit_is_used() -> None:
    either = 0
    both = (1 << 128) - 1
    for _ in range(400):
        value = uuid7().int
        either |= value
        both &= value
    random_bits = (1 << 76) - 1 & ~(0b11 << 62)
    assert either & random_bits == random_bits
    assert both & random_bits == 0


def test_postgresql_reads_an_id_as_it_is() -> None:
    made = uuid7()
    assert UUID(str(made)) == made


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 3, 2, 9, tzinfo=UTC), "2026-03-02T09:00:00Z"),
        (datetime(2026, 3, 2, 9, 0, 0, 1, tzinfo=UTC), "2026-03-02T09:00:00.000001Z"),
        (datetime(2026, 3, 2, 9, tzinfo=timezone(timedelta(hours=2))), "2026-03-02T07:00:00Z"),
    ],
)
def test_a_moment_is_written_in_utc(moment: datetime, text: str) -> None:
    assert rfc3339(moment) == text


def test_now_has_a_zone() -> None:
    assert utc_now().tzinfo is UTC


def test_ids_ascend_however_fast_they_are_made() -> None:
    made = [uuid7() for _ in range(20_000)]
    assert made == sorted(made)


def test_ids_ascend_while_the_clock_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    first = uuid7()
    monkeypatch.setattr("time.time_ns", lambda: 1_700_000_000_000_000_000)
    assert first < uuid7() < uuid7()


def test_threads_never_share_a_moment() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: uuid7(), range(20_000)))
    assert len({one.int >> 64 for one in made}) == len(made)
