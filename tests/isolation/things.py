"""One thing of every kind that has an address, made through the API as its owner would."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from local.demo.api import ApiError, wait_for
from local.demo.tenants import SignedIn, device_key
from tenant_context.routing import Route
from tests.authenticator import Authenticator
from tests.e2e.conftest import TIMED_WORK

START, END = "2026-03-02T09:00:00Z", "2026-03-02T09:15:00Z"
_SPAN = "?from=2026-03-02T00:00:00Z&to=2026-03-03T00:00:00Z"
QUERIES = {
    f"/api/v1/{path}": _SPAN
    for path in (
        "metrics",
        "metrics/export",
        "metrics/ranking",
        "metrics/ranking/export",
        "sites/{site_id}/metrics",
        "sites/{site_id}/metrics/export",
        "sites/{site_id}/transactions",
    )
} | {
    "/api/v1/sensors/{sensor_id}/quality": "?from=2026-03-02&to=2026-03-03",
}
"""What an address cannot be asked without."""
NAMES = {"name": "refresh-performance", "event_type": "campaign.launched"}
"""Path parameters that name a kind and no thing of a tenant's."""


@dataclass(frozen=True)
class Things:
    """What a tenant has: the ids by the path parameter that names them."""

    owner: SignedIn
    ids: dict[str, str]
    serial: str

    @classmethod
    def of(cls, owner: SignedIn) -> "Things":
        """Make one of everything."""
        post = owner.api.post
        serial = f"door-{uuid4().hex[:8]}"
        district = post("/api/v1/sites", {"name": "North", "code": uuid4().hex[:8], "kind": "district"})["id"]
        site = post("/api/v1/sites", {"name": "Flagship", "code": uuid4().hex[:8], "parent_id": district})["id"]
        foyer = {"name": "Foyer", "code": uuid4().hex[:8], "kind": "zone", "parent_id": site}
        zone = post("/api/v1/sites", foyer)["id"]
        sensor = post("/api/v1/sensors", {"site_id": site, "zone_id": zone, "name": "Door", "serial": serial})["id"]
        campaign = post("/api/v1/campaigns", {"name": "Spring", "budget": "100.00", "site_ids": [site]})["id"]
        hooked = post("/api/v1/webhooks/endpoints", {"url": "https://example.com/rmap"})
        endpoint = hooked["id"]
        message = post(f"/api/v1/webhooks/endpoints/{endpoint}/test")["message_id"]
        export = post("/api/v1/exports")["id"]
        run = post("/api/v1/jobs/refresh-performance/run")["id"]
        key = post("/api/v1/api-keys", {"name": "till", "scopes": ["ingest.write"]})["prefix"]
        count = {"sensor": serial, "start": START, "end": END, "entries": 1, "exits": 1}
        refused = {**count, "sensor": "nobodys"}
        batch = device_key(owner, "door").post("/api/v1/ingest/counts", {"counts": [count, refused]})["batch"]
        upload = post("/api/v1/ingest/uploads", {"kind": "counts", "format": "csv", "bytes": 100})["id"]
        sessions = owner.api.get("/api/v1/auth/sessions")["items"]
        begun = post("/api/v1/auth/mfa/passkeys/begin")
        passkey = {"ticket": begun["ticket"], "credential": Authenticator().create(begun["options"]), "name": "Laptop"}
        ids = {
            "organization_id": owner.organization,
            "invitation_id": post(
                f"/api/v1/organizations/{owner.organization}/invitations",
                {"email": f"{uuid4().hex}@acme.example", "role": "viewer"},
            )["id"],
            "domain": post(f"/api/v1/organizations/{owner.organization}/domains", {"domain": f"{uuid4().hex}.example"})[
                "domain"
            ],
            "host": post(
                f"/api/v1/organizations/{owner.organization}/custom-domains", {"domain": f"{uuid4().hex}.example"}
            )["domain"],
            "role": post(
                f"/api/v1/organizations/{owner.organization}/roles",
                {"name": f"role-{uuid4().hex[:8]}", "permissions": ["sites.read"]},
            )["name"],
            "user_id": owner.api.get(f"/api/v1/organizations/{owner.organization}/members")["items"][0]["user_id"],
            "parent_id": district,
            "within": district,
            "site_id": site,
            "zone_id": zone,
            "sensor_id": sensor,
            "campaign_id": campaign,
            "endpoint_id": endpoint,
            "key_id": hooked["keys"][0]["id"],
            "message_id": message,
            "run_id": run,
            "export_id": export,
            "prefix": key,
            "batch_id": batch,
            "upload_id": upload,
            "session_id": sessions[0]["id"],
            "credential": post("/api/v1/auth/mfa/passkeys", passkey)["passkey"]["id"],
        }
        made = cls(owner, ids, serial)
        # Queues bring these two about.
        wait_for("the message", lambda: made.is_there(f"/api/v1/webhooks/messages/{message}"))
        wait_for("the batch", lambda: made.is_there(f"/api/v1/ingest/batches/{batch}"))
        aim = {"metric": "footfall", "period": "day", "first_day": "2026-03-02", "value": "10"}
        ids["target_id"] = post("/api/v1/targets", {**aim, "site_id": site})["id"]
        rule = {"kind": "missing_data", "value": 15}
        ids["rule_id"] = post("/api/v1/alerts/rules", {"name": "Silence", "site_id": site, "condition": rule})["id"]
        start = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
        lately = {**count, "start": f"{start:%FT%TZ}", "end": f"{start + timedelta(minutes=15):%FT%TZ}"}
        device_key(owner, "door").post("/api/v1/ingest/counts", {"counts": [lately]})
        rejected = owner.api.get(f"/api/v1/ingest/rejected?batch={batch}")["items"]
        ids["rejected_id"] = rejected[0]["id"]
        post("/api/v1/jobs/quality/run")
        incidents = f"/api/v1/quality/incidents?sensor={sensor}"
        wait_for(
            "what is wrong with the sensor's data", lambda: bool(owner.api.get(incidents)["items"]), seconds=TIMED_WORK
        )
        wait_for("an alert", made.has_alert, seconds=TIMED_WORK)
        ids["alert_id"] = owner.api.get("/api/v1/alerts")["items"][0]["id"]
        return made

    def has_alert(self) -> bool:
        """Whether something was told; it is looked after by the clock, and here at once."""
        api = self.owner.api
        run = api.post("/api/v1/jobs/watch/run")["id"]
        wait_for("the watch", lambda: api.get(f"/api/v1/jobs/runs/{run}")["status"] == "done", seconds=TIMED_WORK)
        return bool(api.get("/api/v1/alerts")["items"])

    def is_there(self, path: str) -> bool:
        """Whether the owner can read it."""
        try:
            self.owner.api.get(path)
        except ApiError as error:
            if error.status == 404:
                return False
            raise
        return True

    def body(self, route: Route) -> bytes | None:
        """A good body for an address that takes one, with the owner's ids in it."""
        if route.body is None:
            return None
        bodies: dict[str, Any] = {
            "/api/v1/campaigns/{campaign_id}": {"name": "Taken over", "budget": "1.00"},
            "/api/v1/sites/{site_id}": {"name": "Taken over", "code": "taken"},
            "/api/v1/sites/{site_id}/parent": {"parent_id": None},
            "/api/v1/sites/{site_id}/hours": {"week": {"mon": [{"from": "00:00", "to": "00:01"}]}},
            "/api/v1/sites/{site_id}/capacity": {"capacity": 10},
            "/api/v1/alerts/rules/{rule_id}": {
                "name": "Taken over",
                "site_id": self.ids["site_id"],
                "condition": {"kind": "capacity"},
            },
            "/api/v1/targets/{target_id}": {"value": "1"},
            "/api/v1/targets/{target_id}/cascade": {"by": "equally"},
            "/api/v1/alerts/{alert_id}/acknowledge": {"note": "not mine"},
            "/api/v1/sensors/{sensor_id}/recalibrate": {"from": START, "to": END},
            "/api/v1/sensors/{sensor_id}/replace": {"serial": "thief-1"},
            "/api/v1/sensors/{sensor_id}": {"site_id": self.ids["site_id"], "name": "Mine now", "serial": self.serial},
            "/api/v1/sensors/{sensor_id}/setup": {"times": "utc"},
            "/api/v1/ingest/rejected/{rejected_id}/resubmit": {},
            "/api/v1/ingest/batches/{batch_id}/resubmit": {},
            "/api/v1/organizations/{organization_id}": {"name": "Taken over"},
            "/api/v1/organizations/{organization_id}/members/{user_id}/role": {"role": "viewer"},
            "/api/v1/organizations/{organization_id}/invitations": {"email": "x@acme.example", "role": "viewer"},
            "/api/v1/organizations/{organization_id}/roles": {"name": "thief", "permissions": ["sites.read"]},
            "/api/v1/organizations/{organization_id}/roles/{role}": {"permissions": ["sites.read"]},
            "/api/v1/organizations/{organization_id}/identity-provider": {
                "issuer": "https://id.thief.example",
                "client_id": "thief",
                "client_secret": "thief",
                "return_urls": ["https://thief.example/"],
            },
            "/api/v1/organizations/{organization_id}/domains": {"domain": "thief.example"},
            "/api/v1/organizations/{organization_id}/settings": {"currency": "USD"},
            "/api/v1/organizations/{organization_id}/branding": {"display_name": "Thief"},
            "/api/v1/organizations/{organization_id}/custom-domains": {"domain": "thief.example"},
            "/api/v1/organizations/{organization_id}/owner": {"user_id": self.ids["user_id"]},
            "/api/v1/api-keys/{prefix}/rotate": {"grace_hours": 0},
            "/api/v1/organizations/{organization_id}/security": {"mfa_required": False},
            "/api/v1/webhooks/endpoints/{endpoint_id}/recover": {"since": "2026-03-02T09:00:00Z"},
            "/api/v1/webhooks/endpoints/{endpoint_id}": {"url": "https://example.com/thief"},
        }
        assert route.path in bodies, f"tests/isolation/things.py has no body for {route.method} {route.path}: add one"
        return json.dumps(bodies[route.path]).encode()


def parameters(route: Route) -> list[str]:
    """The path parameters that name somebody's things."""
    found = [part[1:-1] for part in route.path.split("/") if part.startswith("{")]
    return [name for name in found if name not in NAMES]


def address(route: Route, ids: dict[str, str]) -> str:
    """The route's path with these ids, and the query it needs."""
    path = route.path
    for name, value in {**NAMES, **ids}.items():
        path = path.replace(f"{{{name}}}", quote(value))
    assert "{" not in path, f"tests/isolation/things.py makes nothing for {route.path}: add it to Things.of"
    return path + QUERIES.get(route.path, "")
