"""Receipts of tills."""

from functions.sites.routes.declared import SITE, Stores, routes
from functions.sites.schemas import receipts as wire
from shared.receipts import rules
from tenant_context.routing import Answer, Call


@routes.read(SITE + "/transactions", permission="analytics.read", query=wire.ReceiptsQuery, answer=wire.TransactionPage)
def transactions(call: Call[None], stores: Stores) -> Answer:
    """List a store's receipts, newest first, with what they undo and what undoes them."""
    query: wire.ReceiptsQuery = call.query
    found = stores.receipts.page(call.tenant, call.id("site_id"), query.asked())
    items = found[: query.limit]
    following = wire.cursor_of(items[-1]) if len(found) > query.limit else None
    return Answer({"items": [rules.shown(one) for one in items], "next_cursor": following})
