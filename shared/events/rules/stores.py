"""Event types of stores and their sensors."""

from collections.abc import Mapping

from shared.events.model import EventType

_ID = "0193a0c2-7b4e-7c11-8f5a-3d2e9b1c4a60"
_SITE = "0193a0c2-5151-7c11-8f5a-3d2e9b1c4a60"
_ZONE = "0193a0c2-5353-7c11-8f5a-3d2e9b1c4a60"
_SENSOR = "0193a0c2-5454-7c11-8f5a-3d2e9b1c4a60"
_BEFORE = "0193a0c2-5252-7c11-8f5a-3d2e9b1c4a60"
_NONE: frozenset[str] = frozenset()


def _site(name: str, description: str) -> EventType:
    data = {"id": _ID, "kind": "site", "name": "Main Street", "code": "main-street", "time_zone": "Europe/Berlin"}
    return EventType(f"site.{name}", description, "site/<id>", {**data, "version": 1}, optional=frozenset({"kind"}))


def _of_sensor(name: str, description: str, data: Mapping[str, object], nullable: frozenset[str] = _NONE) -> EventType:
    """What happens to a sensor happens in its store, and in its zone where it has one."""
    nullable, optional = nullable | {"zone_id"}, frozenset({"zone_id"})
    told = {**data, "zone_id": _ZONE}
    return EventType(f"sensor.{name}", description, "sensor/<id>", told, nullable=nullable, optional=optional)


def _sensor(name: str, description: str, status: str) -> EventType:
    data = {"id": _ID, "site_id": _SITE, "name": "North door", "serial": "AX-1001", "status": status, "version": 1}
    return _of_sensor(name, description, data)


def _limit(name: str, description: str, more: dict[str, object]) -> EventType:
    data = {"site_id": _SITE, "capacity": 200, "clear_at": 180, **more}
    return EventType(f"occupancy.{name}", description, "site/<id>", data)


def _incident(name: str, description: str, status: str, reason: str) -> EventType:
    data = {
        "id": _ID,
        "sensor_id": _SENSOR,
        "site_id": _SITE,
        "kind": "missing_day",
        "first_day": "2026-03-02",
        "last_day": "2026-03-04",
        "status": status,
        "reason": reason,
    }
    return _of_sensor(f"incident_{name}", description, data)


STORES: tuple[EventType, ...] = (
    _site("created", "A store was added."),
    _site("updated", "A store's particulars were replaced."),
    EventType(
        "site.moved",
        "A store, a zone or a district was put into another place of the tree.",
        "site/<id>",
        {
            "id": _ID,
            "kind": "site",
            "code": "main-street",
            "parent_id": _SITE,
            "previous_parent_id": _BEFORE,
            "version": 2,
        },
        nullable=frozenset({"parent_id", "previous_parent_id"}),
    ),
    EventType(
        "site.removed",
        "A store was removed.",
        "site/<id>",
        {"id": _ID, "code": "main-street", "kind": "site", "parent_id": _SITE},
        nullable=frozenset({"parent_id"}),
        optional=frozenset({"kind", "parent_id"}),
    ),
    _sensor("registered", "A people counter was registered at a store.", "active"),
    _sensor("updated", "A people counter's particulars were replaced.", "active"),
    _of_sensor(
        "replaced",
        "Another device took a people counter's place; its id and its counts go on.",
        {
            "id": _ID,
            "site_id": _SITE,
            "name": "North door",
            "serial": "AX-1002",
            "previous_serial": "AX-1001",
            "status": "active",
            "version": 2,
        },
    ),
    _of_sensor(
        "health_changed",
        "A people counter is online, late, offline or clock_skewed, and was another way before; told once a change.",
        {"id": _ID, "site_id": _SITE, "serial": "AX-1001", "from": "online", "to": "offline"},
        nullable=frozenset({"from"}),
    ),
    _incident(
        "opened", "Something is wrong with a people counter's data; told once, however its days grow.", "open", ""
    ),
    _incident("closed", "What was wrong has ended, or was mended by what came later.", "closed", "ended"),
    _sensor("retired", "A people counter was taken out of service.", "retired"),
    _of_sensor(
        "recalibrated",
        "Counts that were there already were calibrated as the people counter's setup has it by now.",
        {
            "id": _ID,
            "site_id": _SITE,
            "serial": "AX-1001",
            "since": "2026-03-01T00:00:00Z",
            "until": "2026-04-01T00:00:00Z",
            "rows": 2976,
            "revised": 2904,
        },
    ),
    _limit("limit_changed", "Another number of people may be inside a store or a zone.", {"version": 2}),
    EventType(
        "occupancy.limit_removed",
        "Any number of people may be inside a store or a zone.",
        "site/<id>",
        {"site_id": _SITE},
    ),
    _limit(
        "limit_reached",
        "So many are inside a store or a zone as may be; told once until it is cleared.",
        {"occupancy": 203, "measured_at": "2026-03-02T15:15:00Z"},
    ),
    _limit(
        "limit_cleared",
        "A limit that was reached is so no more.",
        {"occupancy": 178, "measured_at": "2026-03-02T15:45:00Z"},
    ),
)
