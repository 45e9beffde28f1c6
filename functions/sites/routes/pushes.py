"""What became of what was pushed."""

from functions.sites.routes.declared import Stores, routes
from functions.sites.schemas import ingest as wire
from tenant_context.postgres import Transaction
from tenant_context.routing import Answer, Call
from tenant_context.wire import page


@routes.read("/api/v1/ingest/batches/{batch_id}", permission="sensors.read", answer=wire.BatchOut)
def batch(call: Call[None], stores: Stores) -> Answer:
    """What became of a push."""
    return Answer(stores.batches.show(call.tenant, call.id("batch_id")))


@routes.read(
    "/api/v1/ingest/rejected",
    permission="sensors.read",
    query=wire.RejectedQuery,
    answer=wire.RejectedPage,
)
def rejected(call: Call[None], stores: Stores) -> Answer:
    """List refused rows, newest first."""
    query: wire.RejectedQuery = call.query
    rows = stores.batches.rejected(call.tenant, batch=query.batch, after=query.after(), limit=query.limit + 1)
    return Answer(page(rows, query.limit))


@routes.read("/api/v1/ingest/rejected/{rejected_id}", permission="sensors.read", answer=wire.RejectedOut)
def refused(call: Call[None], stores: Stores) -> Answer:
    """Read one refused row: what was wrong with it, and as what it was sent again."""
    return Answer(stores.batches.refused(call.tenant, call.id("rejected_id")))


@routes.write(
    "POST",
    "/api/v1/ingest/rejected/{rejected_id}/resubmit",
    permission="sensors.write",
    body=wire.ResubmitIn,
    answer=wire.ResubmittedOut,
)
def resubmit(call: Call[wire.ResubmitIn], tx: Transaction, stores: Stores) -> Answer:
    """Send a refused row again, corrected; it counts once, however often that is asked."""
    return Answer(stores.resubmission(tx, call.id("rejected_id"), call.body.row))


@routes.write(
    "POST",
    "/api/v1/ingest/batches/{batch_id}/resubmit",
    permission="sensors.write",
    body=wire.ResubmitBatchIn,
    answer=wire.ResubmittedBatchOut,
)
def resubmit_batch(call: Call[wire.ResubmitBatchIn], tx: Transaction, stores: Stores) -> Answer:
    """Send a batch's refused rows again as they were kept, once their sensors or sites are there."""
    return Answer(stores.resubmission.of_batch(tx, call.id("batch_id"), call.body.first_row))
