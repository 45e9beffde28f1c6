"""Ids of what an endpoint's owner is told."""

from datetime import UTC, datetime, timedelta

from shared.webhooks.rules.told import event_id
from tenant_context.clock import uuid7

DUE = datetime(2026, 3, 1, 9, 30, 0, 250_000, UTC)


def test_whoever_tells_it_tells_it_by_the_same_id() -> None:
    assert event_id(DUE, "acme", "endpoint", 1, None) == event_id(DUE, "acme", "endpoint", 1, None)
    assert len({event_id(DUE, *words) for words in (("acme", 1), ("acme", 2), ("globex", 1), ("acme", "1", ""))}) == 4


def test_ids_ascend_with_the_moments_they_are_of_among_all_others() -> None:
    found = event_id(DUE, "acme")
    assert (found.version, found.variant, found.int >> 80) == (7, uuid7().variant, int(DUE.timestamp() * 1000))
    assert found < event_id(DUE + timedelta(milliseconds=1), "another") < uuid7()
