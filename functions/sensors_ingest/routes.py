"""The addresses of ingest."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from functions.sensors_ingest.schemas import (
    CountsIn,
    HeartbeatsIn,
    HeartbeatsOut,
    PushIn,
    PushOut,
    PushQuery,
    ReceiptOut,
    TransactionsIn,
    noted,
    receipt,
    taken,
)
from shared.sensors import rules
from shared.sensors.service import Ingest
from shared.vendors.service import Vendors
from tenant_context.routing import Answer, Call, Handler, Proof, Routes

routes = Routes()

_TYPES = ("application/json", "text/csv")
_VENDORS_TYPES = (
    *_TYPES,
    "application/xml",
    "text/xml",
    "text/plain",
    "multipart/form-data",
    "application/octet-stream",
)
"""What devices say they send, which is not always what they do send."""
_MAX_BODY = 5 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Door:
    """What the routes use."""

    ingest: Ingest
    vendors: Vendors


@routes.act(
    "POST",
    "/api/v1/ingest/counts",
    proof=Proof.KEY,
    permission="ingest.write",
    reads=CountsIn,
    query=PushQuery,
    answer=ReceiptOut,
    status=202,
    content_types=_TYPES,
    max_body=_MAX_BODY,
)
def counts(call: Call[None], door: Door) -> Answer:
    """Push people counts, as JSON or as CSV with the columns sensor, line, start, end, entries, exits.

    A CSV of another shape names its sensor in the address, and is read by the columns in that sensor's setup.
    """
    csv = call.content_type == "text/csv"
    if csv and call.query.sensor:
        return _take(call, door, None)
    rows = rules.read_counts_csv(call.raw) if csv else rules.read_counts_json(call.raw)
    pushed = door.ingest.take_counts(call.tenant, rows)
    return Answer(receipt(pushed), headers=dict(pushed.limited))


@routes.act(
    "POST",
    "/api/v1/ingest/heartbeats",
    proof=Proof.KEY,
    permission="ingest.write",
    body=HeartbeatsIn,
    answer=HeartbeatsOut,
    status=202,
)
def heartbeats(call: Call[HeartbeatsIn], door: Door) -> Answer:
    """Tell that sensors are there, counting or not, and what their own clocks say."""
    return Answer(noted(door.ingest.beat(call.tenant, call.body.heartbeats)))


def _vendor_act(path: str) -> Callable[[Handler], Handler]:
    return routes.act(
        "POST",
        path,
        proof=Proof.KEY,
        permission="ingest.write",
        reads=PushIn,
        query=PushQuery,
        answer=PushOut,
        status=202,
        content_types=_VENDORS_TYPES,
        max_body=_MAX_BODY,
    )


@_vendor_act("/api/v1/ingest/vendors")
def push(call: Call[None], door: Door) -> Answer:
    """Push what a people counter says in its vendor's own format, which is recognised by what stands in it."""
    return _take(call, door, None)


@_vendor_act("/api/v1/ingest/vendors/{vendor}")
def push_of_vendor(call: Call[None], door: Door) -> Answer:
    """Push what a people counter of axis, hikvision, irisys, vivotek or xovis says in its own format."""
    return _take(call, door, call.path["vendor"])


@_vendor_act("/api/v1/ingest/{vendor}")
def push_briefly(call: Call[None], door: Door) -> Answer:
    """The same at a shorter address, for devices that take no long one."""
    return _take(call, door, call.path["vendor"])


def _take(call: Call[None], door: Door, vendor: str | None) -> Answer:
    from shared.vendors.rules import recognise  # noqa: PLC0415  formats are for those who use them

    read = partial(recognise.read, call.raw, vendor)
    pushed = door.vendors.take(call.tenant, read, call.query.sensor)
    return Answer(taken(pushed), headers=dict(pushed.receipt.limited) if pushed.receipt else {})


@routes.act(
    "POST",
    "/api/v1/ingest/transactions",
    proof=Proof.KEY,
    permission="ingest.write",
    reads=TransactionsIn,
    answer=ReceiptOut,
    status=202,
    content_types=_TYPES,
    max_body=_MAX_BODY,
)
def transactions(call: Call[None], door: Door) -> Answer:
    """Push till receipts, as JSON or as CSV of their lines: id, site, time, currency, sku, quantity, unit_price.

    In a CSV whose columns are parted by semicolons decimals may have a comma.

    A receipt that undoes another names it: `cancels`, or `returns` where it brings some of it back. What it brings back
    has quantities with a minus, and it comes to 0 or less; otherwise the row is refused (`gives-nothing-back`).

    A receipt is told by its site, id and time. Pushed again with another amount, currency, link or lines it is
    corrected, and what it said before is kept. With another time it is another receipt, as tills begin their ids anew,
    and both count: cancel the first, by a receipt of the first one's time.
    """
    csv = call.content_type == "text/csv"
    rows = rules.read_transactions_csv(call.raw) if csv else rules.read_transactions_json(call.raw)
    pushed = door.ingest.take_transactions(call.tenant, rows)
    return Answer(receipt(pushed), headers=dict(pushed.limited))
