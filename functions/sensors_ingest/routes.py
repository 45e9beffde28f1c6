"""The addresses of ingest."""

from functions.sensors_ingest.schemas import CountsIn, ReceiptOut, TransactionsIn, receipt
from shared.sensors import rules
from shared.sensors.service import Ingest
from tenant_context.routing import Answer, Call, Proof, Routes

routes = Routes()

_TYPES = ("application/json", "text/csv")
_MAX_BODY = 5 * 1024 * 1024


@routes.act(
    "POST",
    "/api/v1/ingest/counts",
    proof=Proof.KEY,
    permission="ingest.write",
    reads=CountsIn,
    answer=ReceiptOut,
    status=202,
    content_types=_TYPES,
    max_body=_MAX_BODY,
)
def counts(call: Call[None], ingest: Ingest) -> Answer:
    """Push people counts, as JSON or as CSV with the columns sensor, line, start, end, entries, exits."""
    csv = call.content_type == "text/csv"
    rows = rules.read_counts_csv(call.raw) if csv else rules.read_counts_json(call.raw)
    taken = ingest.take_counts(call.tenant, rows)
    return Answer(receipt(taken), headers=dict(taken.limited))


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
def transactions(call: Call[None], ingest: Ingest) -> Answer:
    """Push till receipts, as JSON or as CSV of their lines: id, site, time, currency, sku, quantity, unit_price."""
    csv = call.content_type == "text/csv"
    rows = rules.read_transactions_csv(call.raw) if csv else rules.read_transactions_json(call.raw)
    taken = ingest.take_transactions(call.tenant, rows)
    return Answer(receipt(taken), headers=dict(taken.limited))
