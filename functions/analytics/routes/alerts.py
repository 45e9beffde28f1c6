"""What is to be told of places, and what was."""

from functions.analytics.routes.declared import Analytics, routes
from functions.analytics.schemas import alerts as wire
from shared.alerts.model import Rule
from tenant_context.postgres import Transaction
from tenant_context.routing import Answer, Call, etag
from tenant_context.wire import cursor_of

_RULES = "/api/v1/alerts/rules"
_RULE = _RULES + "/{rule_id}"
_ALERT = "/api/v1/alerts/{alert_id}"


def _answer(rule: Rule) -> Answer:
    return Answer(wire.shown(rule), headers=etag(rule.version))


@routes.write("POST", _RULES, permission="alerts.write", body=wire.RuleIn, answer=wire.RuleOut, status=201)
def add_rule(call: Call[wire.RuleIn], tx: Transaction, analytics: Analytics) -> Answer:
    """Have something told of a place as it happens: by events alert.opened, alert.acknowledged and alert.resolved."""
    return _answer(analytics.rules.add(tx, call.body.draft()))


@routes.read(_RULES, permission="alerts.read", query=wire.RuleQuery, answer=wire.RulePage)
def rules(call: Call[None], analytics: Analytics) -> Answer:
    """List what is to be told, newest first."""
    query: wire.RuleQuery = call.query
    found = analytics.rules.page(call.tenant, site=query.site, after=query.after(), limit=query.limit + 1)
    shown = found[: query.limit]
    following = cursor_of(shown[-1].id) if len(found) > query.limit else None
    return Answer({"items": [wire.shown(one) for one in shown], "next_cursor": following})


@routes.read(_RULE, permission="alerts.read", answer=wire.RuleOut)
def show_rule(call: Call[None], analytics: Analytics) -> Answer:
    """Read a rule."""
    return _answer(analytics.rules.show(call.tenant, call.id("rule_id")))


@routes.write("PUT", _RULE, permission="alerts.write", body=wire.RuleIn, answer=wire.RuleOut)
def amend_rule(call: Call[wire.RuleIn], tx: Transaction, analytics: Analytics) -> Answer:
    """Replace a rule; its alerts of before are resolved."""
    return _answer(analytics.rules.amend(tx, call.id("rule_id"), call.body.draft(), call.expected_version()))


@routes.write("DELETE", _RULE, permission="alerts.write", status=204)
def remove_rule(call: Call[None], tx: Transaction, analytics: Analytics) -> Answer:
    """Remove a rule and its alerts."""
    analytics.rules.remove(tx, call.id("rule_id"))
    return Answer()


@routes.read("/api/v1/alerts", permission="alerts.read", query=wire.AlertQuery, answer=wire.AlertPage)
def alerts(call: Call[None], analytics: Analytics) -> Answer:
    """List alerts, newest first: of a place, of a rule, in one status."""
    query: wire.AlertQuery = call.query
    found = analytics.alerts.page(
        call.tenant,
        site=query.site,
        rule=query.rule,
        status=query.status,
        after=query.after(),
        limit=query.limit + 1,
    )
    shown = found[: query.limit]
    following = cursor_of(shown[-1].id) if len(found) > query.limit else None
    return Answer({"items": [wire.alert(one) for one in shown], "next_cursor": following})


@routes.read(_ALERT, permission="alerts.read", answer=wire.AlertOut)
def show_alert(call: Call[None], analytics: Analytics) -> Answer:
    """Read an alert."""
    return Answer(wire.alert(analytics.alerts.show(call.tenant, call.id("alert_id"))))


@routes.write("POST", _ALERT + "/acknowledge", permission="alerts.write", body=wire.AcknowledgeIn, answer=wire.AlertOut)
def acknowledge(call: Call[wire.AcknowledgeIn], tx: Transaction, analytics: Analytics) -> Answer:
    """Say that somebody looks after it; it resolves by itself."""
    return Answer(wire.alert(analytics.alerts.acknowledge(tx, call.id("alert_id"), call.body.note)))
