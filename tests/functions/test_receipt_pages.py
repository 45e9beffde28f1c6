"""Pages of receipts, as the route answers them: no more than an answer has room for, and where it goes on."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from functions.analytics.routes.receipts import transactions
from functions.analytics.schemas.receipts import ReceiptsQuery
from shared.receipts.model import Found, Page, Undone

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def found(number: int, size: int) -> Found:
    shown = {"id": str(number), "lines": [{"sku": "é" * (size // 2), "quantity": "1", "unit_price": "1"}]}
    return Found(shown, NOON - timedelta(minutes=number), str(number), None, None, None, (), Undone.NO)


@pytest.mark.parametrize(
    ("sizes", "there", "shown"),
    [
        ([100] * 3, 3, 3),
        ([100] * 3, 4, 3),  # PostgreSQL sent no more
        ([1_000_000] * 4, 4, 2),
        ([4_000_000, 100], 2, 1),
        ([4_000_000], 1, 1),
        ([], 0, 0),
    ],
)
def test_a_page_has_what_there_is_room_for(sizes: list[int], there: int, shown: int) -> None:
    page = Page([found(number, size) for number, size in enumerate(sizes)], there)
    analytics: Any = SimpleNamespace(receipts=SimpleNamespace(page=lambda *_: page))
    query = ReceiptsQuery.model_validate({"from": "2026-03-01T12:00:00Z", "to": "2026-03-02T12:00:00Z", "limit": 200})
    call: Any = SimpleNamespace(query=query, tenant=None, id=lambda _: uuid4())
    answer = msgspec.json.decode(msgspec.json.encode(transactions(call, analytics).content))
    assert [one["id"] for one in answer["items"]] == [str(number) for number in range(shown)]
    assert (answer["next_cursor"] is None) == (shown == there)
    if answer["next_cursor"] is not None:
        after = query.model_copy(update={"cursor": answer["next_cursor"]}).asked().after
        assert after == (page.receipts[shown - 1].at, str(shown - 1))
