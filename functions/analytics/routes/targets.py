"""What places are to come to."""

from functions.analytics.routes.declared import Analytics, routes
from functions.analytics.schemas import targets as wire
from shared.targets.model import Target
from tenant_context.postgres import Transaction
from tenant_context.routing import Answer, Call, etag
from tenant_context.wire import cursor_of

_ALL = "/api/v1/targets"
_ONE = _ALL + "/{target_id}"


def _answer(target: Target) -> Answer:
    return Answer(wire.shown(target), headers=etag(target.version))


@routes.write("POST", _ALL, permission="targets.write", body=wire.TargetIn, answer=wire.TargetOut, status=201)
def add_target(call: Call[wire.TargetIn], tx: Transaction, analytics: Analytics) -> Answer:
    """Say what a place is to come to in a period: one target of a place, a metric, a period and a currency."""
    return _answer(analytics.targets.add(tx, call.body.draft()))


@routes.read(_ALL, permission="targets.read", query=wire.TargetQuery, answer=wire.TargetPage)
def targets(call: Call[None], analytics: Analytics) -> Answer:
    """List targets, newest first: of a place, a metric, a period."""
    query: wire.TargetQuery = call.query
    found = analytics.targets.page(
        call.tenant,
        site=query.site,
        metric=query.metric,
        period=query.period,
        first_day=query.first_day,
        after=query.after(),
        limit=query.limit + 1,
    )
    kept = found[: query.limit]
    following = cursor_of(kept[-1].id) if len(found) > query.limit else None
    return Answer({"items": [wire.shown(one) for one in kept], "next_cursor": following})


@routes.read(_ONE, permission="targets.read", answer=wire.TargetOut)
def show_target(call: Call[None], analytics: Analytics) -> Answer:
    """Read a target."""
    return _answer(analytics.targets.show(call.tenant, call.id("target_id")))


@routes.write("PUT", _ONE, permission="targets.write", body=wire.ValueIn, answer=wire.TargetOut)
def amend_target(call: Call[wire.ValueIn], tx: Transaction, analytics: Analytics) -> Answer:
    """Give a target another value; what was shared out of it stays until it is shared out again."""
    return _answer(analytics.targets.amend(tx, call.id("target_id"), call.body.value, call.expected_version()))


@routes.write("DELETE", _ONE, permission="targets.write", status=204)
def remove_target(call: Call[None], tx: Transaction, analytics: Analytics) -> Answer:
    """Remove a target; what was shared out of it stays."""
    analytics.targets.remove(tx, call.id("target_id"))
    return Answer()


@routes.write("POST", _ONE + "/cascade", permission="targets.write", body=wire.CascadeIn, answer=wire.SharesOut)
def cascade(call: Call[wire.CascadeIn], tx: Transaction, analytics: Analytics) -> Answer:
    """Share a target out among the places that are in its own, in place of the targets they have; they sum exactly."""
    made = analytics.targets.cascade(tx, call.id("target_id"), call.body.cascade())
    return Answer({"items": [wire.shown(one) for one in made]})


@routes.read(_ONE + "/progress", permission="targets.read", answer=wire.ProgressOut)
def progress(call: Call[None], analytics: Analytics) -> Answer:
    """Read how far a place is: what it came to, what was to be expected by now, and the share of both."""
    with analytics.database.transaction(call.tenant) as tx:
        return Answer(wire.progress(analytics.targets.progress(tx, call.id("target_id"))))
