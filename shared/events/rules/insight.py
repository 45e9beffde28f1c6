"""Event types of alerts and targets."""

from shared.events.model import EventType

_ID = "0193a0c2-7b4e-7c11-8f5a-3d2e9b1c4a60"
_RULE = "0193a0c2-5353-7c11-8f5a-3d2e9b1c4a60"
_SITE = "0193a0c2-5151-7c11-8f5a-3d2e9b1c4a60"


def _alert(name: str, description: str, status: str, reason: str = "") -> EventType:
    data = {
        "id": _ID,
        "rule_id": _RULE,
        "site_id": _SITE,
        "kind": "threshold",
        "severity": "warning",
        "status": status,
        "reason": reason,
        "message": "Main Street: footfall of the day 2026-03-02 is 120, below 200.",
        "value": "120",
    }
    return EventType(f"alert.{name}", description, "alert/<id>", data, nullable=frozenset({"value"}))


def _rule(name: str, description: str) -> EventType:
    data = {"id": _RULE, "site_id": _SITE, "name": "Too few people", "kind": "threshold", "version": 1}
    return EventType(f"alert.rule_{name}", description, "alert-rule/<id>", data)


def _target(name: str, description: str, **more: object) -> EventType:
    data = {
        "id": _ID,
        "site_id": _SITE,
        "metric": "footfall",
        "period": "month",
        "first_day": "2026-03-01",
        "value": "12000",
        "version": 1,
        "currency": None,
        **more,
    }
    return EventType(f"target.{name}", description, "target/<id>", data, nullable=frozenset({"currency"}))


INSIGHT: tuple[EventType, ...] = (
    _alert("opened", "What a rule looks at is as it should not be; told once of a rule and a place.", "open"),
    _alert("acknowledged", "Somebody looks after an alert.", "acknowledged"),
    _alert("resolved", "What was alarming is so no more, or its rule was changed or removed.", "resolved", "cleared"),
    _rule("created", "Something more is to be told of a place."),
    _rule("updated", "What is to be told of a place was changed; its alerts of before are resolved."),
    _rule("removed", "Something is no longer to be told of a place."),
    _target("created", "A place is to come to something in a period."),
    _target("updated", "What a place is to come to in a period has changed."),
    _target("removed", "A place is no longer to come to something in a period."),
    _target("cascaded", "A target was shared out among the places that are in its own.", by="history", shares=12),
)
