"""What undoes what, told from what is kept, in whatever order it came."""

import itertools
import json
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.measurements.repository.raw import RawRepository
from shared.measurements.service import Processor
from shared.receipts import rules
from shared.receipts.errors import WrongRange
from shared.receipts.model import Asked, Undone
from shared.receipts.repository import ReceiptRepository
from shared.sites.errors import SiteNotFound
from tenant_context.clock import uuid7
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message
from tenant_context.postgres import Database

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)


Pieces = dict[str, int]


class Till:
    """A till of a store, and what is read of it."""

    def __init__(self, database: Database, tenant: TenantContext) -> None:
        self.database, self.tenant, self.site = database, tenant, uuid7()
        with database.transaction(tenant) as tx:
            tx.run(
                "INSERT INTO sites (tenant_id, id, name, code, time_zone, created_at, updated_at)"
                " VALUES (%s, %s, 'Main', 'main', 'UTC', now(), now())",
                (tenant.tenant, self.site),
            )

    def row(self, name: str, minute: int, undoes: str | None = None, **pieces: int) -> list[Any]:
        """A receipt in the queue's form."""
        at = (NOON + timedelta(minutes=minute)).isoformat()
        total = str(sum(pieces.values()) * 2)
        return [str(self.site), name, at, "EUR", total, undoes, [[sku, str(n), "2"] for sku, n in pieces.items()]]

    def push(self, *rows: list[Any], at: int = 0) -> None:
        """Write them, as one batch."""
        data = {
            "batch": str(uuid7()), "received_at": (NOON + DAY + timedelta(seconds=at)).isoformat(),
            "rows_in_batch": len(rows), "duplicates": 0, "rejected_in_batch": 0, "part": 0, "parts": 1,
            "rows": list(rows), "refused": [],
        }  # fmt: skip
        Processor(self.database, RawRepository(uuid7), "transactions", RawRepository.write_transactions)(
            self.tenant, Message(self.tenant.tenant, "test", "transactions", data)
        )

    def shown(self, **asked: Any) -> dict[str, dict[str, Any]]:
        """Receipts by id, as the API shows them."""
        about = Asked(**{"start": NOON - DAY, "end": NOON + DAY, "id": None, "after": None, "limit": 200, **asked})
        found = ReceiptRepository(self.database).page(self.tenant, self.site, about).receipts
        return {one["id"]: json.loads(json.dumps(one)) for one in map(rules.shown, found)}


@pytest.fixture
def till(database: Database, two_tenants: tuple[TenantContext, TenantContext]) -> Till:
    return Till(database, two_tenants[0])


@pytest.mark.parametrize(
    ("brought", "said"),
    [
        ([], Undone.NO),
        ([{"a": -1}], Undone.PARTLY),
        ([{"a": -2, "b": -1}], Undone.WHOLLY),
        ([{"a": -1}, {"a": -1, "b": -1}], Undone.WHOLLY),
        ([{}], Undone.WHOLLY),
        ([{"a": 2, "b": 1}], Undone.WHOLLY),  # some tills write what comes back without a minus
        ([{"a": -1, "c": 1}], Undone.PARTLY),  # an exchange
        ([{"a": -3}], Undone.BEYOND),
        ([{"c": -1}], Undone.BEYOND),
        ([{}, {}], Undone.BEYOND),
        ([{"a": -1}, {}], Undone.BEYOND),
    ],
)
def test_how_much_of_a_receipt_is_undone(till: Till, brought: Sequence[Pieces], said: Undone) -> None:
    sale = till.row("sale", 0, a=1, b=1)
    sale[-1].append(["a", "1", "2"])
    till.push(sale, *(till.row(f"back{n}", n + 1, "sale", **pieces) for n, pieces in enumerate(brought)))
    assert till.shown()["sale"]["undone"] == said


def test_beyond_is_more_of_something_than_was_bought(till: Till) -> None:
    chance = random.Random(7)  # noqa: S311  a test's own dice
    expected = {}
    for number in range(60):
        had = {sku: chance.randint(1, 5) for sku in chance.sample("abc", chance.randint(0, 3))}
        back = [
            {sku: chance.randint(1, 3) for sku in chance.sample("abcd", chance.randint(1, 3))}
            for _ in range(chance.randint(1, 3))
        ]
        name = f"sale{number}"
        till.push(
            till.row(name, 0, None, **had), *(till.row(f"{name}-{n}", 1, name, **one) for n, one in enumerate(back))
        )
        sums = {sku: sum(one.get(sku, 0) for one in back) for sku in "abcd"}
        expected[name] = any(sums[sku] > had.get(sku, 0) for sku in "abcd")
    shown = {name: till.shown(id=name)[name] for name in expected}
    assert {name: one["undone"] == "beyond" for name, one in shown.items()} == expected
    assert set(expected.values()) == {True, False}


def test_links_are_the_same_in_whatever_order_receipts_come(till: Till) -> None:
    def day(number: int) -> list[list[Any]]:
        return [
            till.row(f"sale{number}", 0, a=2, b=1),
            till.row(f"some{number}", 5, f"sale{number}", a=-1),
            till.row(f"rest{number}", 6, f"sale{number}", a=-1, b=-1),
        ]

    for number, order in enumerate(itertools.permutations(range(3))):
        rows = day(number)
        for place in order:
            till.push(rows[place])
        shown = till.shown()
        sale = shown[f"sale{number}"]
        assert (sale["undone"], sale["undone_by"], sale["undoes"]) == (
            "wholly",
            [f"some{number}", f"rest{number}"],
            None,
        )
        assert shown[f"some{number}"]["undoes"]["state"] == "linked"
        assert shown[f"some{number}"]["undoes"]["original"]["total"] == "6"


def test_what_is_not_there_yet_is_missing_until_it_comes(till: Till) -> None:
    till.push(till.row("back", 5, "sale", a=-1))
    assert till.shown()["back"]["undoes"] == {"id": "sale", "state": "missing", "original": None}
    till.push(till.row("sale", 0, a=1))
    assert till.shown()["back"]["undoes"]["state"] == "linked"


def test_a_cancellation_of_a_cancellation_is_chained_and_counts_as_it_was_sent(till: Till) -> None:
    till.push(till.row("sale", 0, a=1), till.row("no", 1, "sale", a=-1), till.row("yes", 2, "no", a=1))
    shown = till.shown()
    assert shown["yes"]["undoes"]["state"] == "chained"
    assert (shown["sale"]["undone"], shown["no"]["undone"]) == ("wholly", "wholly")
    found = till.database.read(till.tenant, "SELECT sum(transactions), sum(cancellations), sum(revenue) FROM sales_15m")
    assert tuple(found[0]) == (1, 2, 2)


def test_a_return_of_more_than_was_bought_is_told_and_counts_as_it_was_sent(till: Till) -> None:
    till.push(till.row("sale", 0, a=1), till.row("back", 1, "sale", a=-3))
    assert till.shown()["sale"]["undone"] == "beyond"
    assert till.database.read(till.tenant, "SELECT sum(revenue) FROM sales_15m")[0][0] == -4


def test_a_corrected_link_leads_to_the_other(till: Till) -> None:
    till.push(till.row("one", 0, a=1), till.row("two", 1, a=1), till.row("back", 5, "one", a=-1))
    till.push(till.row("back", 5, "two", a=-1), at=1)
    shown = till.shown()
    assert (shown["one"]["undone"], shown["two"]["undone"], shown["back"]["revision"]) == ("no", "wholly", 2)


def test_an_id_that_comes_again_means_the_last_before(till: Till) -> None:
    till.push(
        till.row("7", 0, a=1), till.row("7", 60, a=1), till.row("back", 30, "7", a=-1), till.row("later", 90, "7", a=-1)
    )
    found = (
        ReceiptRepository(till.database).page(till.tenant, till.site, Asked(NOON, NOON + DAY, "7", None, 9)).receipts
    )
    assert [list(one.undone_by) for one in found] == [["later"], ["back"]]


def test_pages_follow_one_another(till: Till) -> None:
    till.push(*(till.row(f"{minute % 3}{minute}", minute % 3, a=1) for minute in range(9)))
    seen, after = list[str](), None
    repository = ReceiptRepository(till.database)
    there = []
    while page := repository.page(till.tenant, till.site, Asked(NOON, NOON + DAY, None, after, 2)).receipts:
        seen += [one.id for one in page]
        after = (page[-1].at, page[-1].id)
        there.append(len(page))
    assert len(seen) == len(set(seen)) == 9
    assert there == [2, 2, 2, 2, 1]
    assert repository.page(till.tenant, till.site, Asked(NOON, NOON + DAY, None, None, 2)).there == 3


def test_a_page_ends_where_an_answer_has_no_room(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.receipts.repository.MOST_BYTES", 20_000)
    pieces = {f"article-{n}": 1 for n in range(100)}
    till.push(*(till.row(str(n), n, None, **pieces) for n in range(6)))
    till.push(till.row("huge", 7, None, **{f"article-{n}": 1 for n in range(1_000)}))
    sizes, after = list[int](), None
    repository = ReceiptRepository(till.database)
    while (page := repository.page(till.tenant, till.site, Asked(NOON, NOON + DAY, None, after, 200))).receipts:
        sizes.append(len(page.receipts))
        assert (page.there > len(page.receipts)) == (sum(sizes) < 7)
        after = (page.receipts[-1].at, page.receipts[-1].id)
        told = [rules.shown(one) for one in page.receipts]
        assert len(told) == 1 or len(json.dumps(told)) <= 20_000
    assert sizes == [1, 3, 3]


def test_globex_sees_no_receipt_of_acme(till: Till, two_tenants: tuple[TenantContext, TenantContext]) -> None:
    till.push(till.row("sale", 0, a=1))
    with pytest.raises(SiteNotFound):
        ReceiptRepository(till.database).page(two_tenants[1], till.site, Asked(NOON, NOON + DAY, None, None, 9))


@pytest.mark.parametrize("end", [NOON, NOON - DAY, NOON + timedelta(days=32)])
def test_a_range_that_cannot_be_is_refused(till: Till, end: datetime) -> None:
    with pytest.raises(WrongRange):
        till.shown(start=NOON, end=end)
