"""Receipts of tills."""

import msgspec

from functions.analytics.routes.declared import SITE, Analytics, routes
from functions.analytics.schemas import receipts as wire
from shared.receipts import rules
from tenant_context.pages import fitting
from tenant_context.routing import Answer, Call


@routes.read(SITE + "/transactions", permission="analytics.read", query=wire.ReceiptsQuery, answer=wire.TransactionPage)
def transactions(call: Call[None], analytics: Analytics) -> Answer:
    """List a store's receipts, newest first, with what they undo and what undoes them."""
    query: wire.ReceiptsQuery = call.query
    found = analytics.receipts.page(call.tenant, call.id("site_id"), query.asked())
    items = [msgspec.json.encode(rules.shown(one)) for one in found.receipts]
    fit = fitting(map(len, items))
    following = wire.cursor_of(found.receipts[fit - 1]) if fit < found.there else None
    return Answer({"items": [msgspec.Raw(one) for one in items[:fit]], "next_cursor": following})
