"""The catalogue of event types: every kind that the platform tells of, each with an example of its data."""

from collections.abc import Mapping
from typing import Any

from shared.events.model import EventType
from shared.events.rules.insight import INSIGHT
from shared.events.rules.money import MONEY, TENANT
from shared.events.rules.stores import STORES

_ID = "0193a0c2-7b4e-7c11-8f5a-3d2e9b1c4a60"


def _campaign(name: str, description: str, status: str, version: int) -> EventType:
    data = {
        "id": _ID,
        "name": "Spring drinks",
        "type": "in_store",
        "status": status,
        "budget": "1250.00",
        "currency": "EUR",
        "version": version,
    }
    return EventType(f"campaign.{name}", description, "campaign/<id>", data)


def _security(name: str, description: str, details: Mapping[str, Any] | None = None) -> EventType:
    data = {"user": _ID, "source_ip": "203.0.113.7", "agent": "Mozilla/5.0", **(details or {})}
    return EventType(f"security.{name}", description, "user/<id>", data)


def _member(name: str, description: str, role: str | None) -> EventType:
    data = {"user": _ID, "from": "member", "to": role}
    return EventType(f"member.{name}", description, "user/<id>", data, nullable=frozenset({"from", "to"}))


def _endpoint(name: str, description: str) -> EventType:
    data = {"id": _ID, "url": "https://hooks.example.com/rmap", "enabled": True, "version": 1}
    return EventType(f"webhook.endpoint_{name}", description, "webhook-endpoint/<id>", data)


def _custom_domain(name: str, description: str, **more: str) -> EventType:
    data = {"id": TENANT, "domain": "media.example.com", **more}
    return EventType(f"tenant.custom_domain_{name}", description, "custom-domain/<domain>", data)


CATALOGUE: tuple[EventType, ...] = (
    _campaign("created", "A campaign was created, as a draft.", "draft", 1),
    _campaign("updated", "A campaign's particulars were replaced.", "draft", 2),
    _campaign("launched", "A draft campaign became active.", "active", 2),
    _campaign("paused", "An active campaign was paused.", "paused", 3),
    _campaign("resumed", "A paused campaign became active again.", "active", 4),
    _campaign("completed", "A campaign was brought to its end.", "completed", 5),
    _campaign("archived", "A campaign was put away.", "archived", 6),
    *STORES,
    *INSIGHT,
    EventType(
        "batch.processed",
        "A part of an ingested batch was written, and the metrics it touches are current.",
        "batch/<id>",
        {
            "batch": _ID,
            "kind": "counts",
            "part": 0,
            "parts": 1,
            "stored": 96,
            "unchanged": 0,
            "revised": 2,
            "quarantined": 0,
            "site_ids": ["0193a0c2-5151-7c11-8f5a-3d2e9b1c4a60"],
        },
        optional=frozenset({"site_ids"}),
    ),
    EventType(
        "upload.finished",
        "An uploaded file was read to its end, or as far as it could be; its rows are with the queue.",
        "upload/<id>",
        {
            "id": _ID,
            "kind": "counts",
            "status": "done",
            "rows": 250000,
            "accepted": 249000,
            "duplicates": 900,
            "rejected": 100,
        },
    ),
    EventType(
        "job.started",
        "Somebody started timed work by hand.",
        "job-run/<id>",
        {"id": _ID, "job": "refresh-performance"},
    ),
    EventType(
        "job.finished",
        "Timed work that was started by hand has ended; what it did stands beside its name.",
        "job-run/<id>",
        {"id": _ID, "job": "refresh-performance", "campaigns": 3, "days": 28},
        optional=frozenset({"campaigns", "days"}),
        open=True,
    ),
    EventType(
        "tenant.created",
        "An organization signed up.",
        "tenant/<id>",
        {"id": TENANT, "slug": "acme", "name": "Acme Stores", "plan": "starter", "email": "owner@example.com"},
    ),
    EventType(
        "tenant.updated",
        "An organization's particulars were changed.",
        "tenant/<id>",
        {"id": TENANT, "name": "Acme Stores International"},
    ),
    EventType(
        "tenant.settings_changed",
        "How an organization counts and writes was changed.",
        "tenant/<id>",
        {
            "id": TENANT,
            "time_zone": "Europe/Berlin",
            "locale": "de-DE",
            "currency": "EUR",
            "week_start": "monday",
            "version": 2,
        },
    ),
    EventType(
        "tenant.branding_changed",
        "How an organization looks was changed, or taken back to how the platform does.",
        "tenant/<id>",
        {"id": TENANT, "display_name": "Acme Media", "version": 2},
    ),
    _custom_domain("added", "A host of an organization's own was claimed."),
    _custom_domain("verified", "The DNS of a host held the challenge: the organization is found there."),
    _custom_domain("removed", "A host of an organization's own was let go."),
    _custom_domain(
        "contested",
        "A host's DNS holds another organization's challenge and not this one's: put it back, or the host is lost.",
        until="2026-03-05T09:00:00Z",
    ),
    _custom_domain("lost", "A host of an organization's own has become another organization's, as its DNS said."),
    EventType(
        "tenant.state_changed",
        "The organization is in another state of its life: what it permits has changed.",
        "tenant/<id>",
        {"id": TENANT, "from": "active", "to": "restricted", "reason": "payment_failed"},
    ),
    EventType(
        "tenant.held",
        "The platform ordered a state of the organization; it stays until the platform lifts it.",
        "tenant/<id>",
        {"id": TENANT, "state": "restricted", "reason": "complaints about its mails"},
    ),
    EventType(
        "tenant.released",
        "The platform lifted what it had ordered; the organization is as its billing says.",
        "tenant/<id>",
        {"id": TENANT, "state": "active", "reason": "settled with its owner"},
    ),
    *(
        EventType(
            f"tenant.grant_{what}",
            f"Something beyond its plan was {said}.",
            "grant/<id>",
            {"id": _ID, "name": "campaigns"},
        )
        for what, said in (("given", "given to the organization"), ("taken_back", "taken back from the organization"))
    ),
    EventType(
        "tenant.exported",
        "An archive of everything an organization has is ready to be loaded down.",
        "export/<id>",
        {"id": _ID, "rows": 120_000, "bytes": 9_437_184, "expires_at": "2026-03-08T09:30:00Z"},
        nullable=frozenset({"expires_at"}),
    ),
    EventType(
        "tenant.imported",
        "An organization was filled from an archive.",
        "import/<id>",
        {"id": _ID, "rows": 120_000},
    ),
    EventType(
        "tenant.erased",
        "Everything of a closed organization is gone; the counts are its certificate's.",
        "tenant/<id>",
        {"id": TENANT, "counts": {"postgresql/campaigns": 12, "dynamodb/sessions": 3, "s3/exports": 1, "people": 2}},
    ),
    *MONEY,
    _security("signed_out", "A session of a user ended by their own will; `*` for all of them.", {"session": _ID}),
    _security("stepped_up", "A user proved once more who they are.", {"proof": "otp"}),
    _security("address_change_requested", "A user asked to change their mail address; nothing has changed yet."),
    _security("address_changed", "A user's mail address was changed, which both addresses confirmed."),
    *(
        EventType(f"security.domain_{what}", f"A mail domain was {what}.", "domain/<name>", {"domain": "acme.example"})
        for what in ("added", "verified", "removed")
    ),
    EventType(
        "security.provider_changed",
        "The organization's identity provider was set up or changed.",
        "tenant/<id>",
        {"issuer": "https://id.acme.example", "client_id": "rmap"},
    ),
    EventType(
        "security.provider_removed",
        "The organization's identity provider was taken away.",
        "tenant/<id>",
        {"id": TENANT},
    ),
    *(
        EventType(
            f"security.role_{what}",
            f"A role of the organization's own making was {what}.",
            "role/<name>",
            {"role": "buyer", "permissions": ["campaigns.*", "sites.read"]},
        )
        for what in ("created", "changed", "deleted")
    ),
    EventType(
        "security.api_key_created",
        "An API key or a device key was made.",
        "api-key/<prefix>",
        {"prefix": "a1B2c3D4e5F6", "name": "Tills of Main Street", "scopes": ["ingest.write"]},
    ),
    EventType(
        "security.api_key_revoked",
        "An API key or a device key was revoked.",
        "api-key/<prefix>",
        {"prefix": "a1B2c3D4e5F6"},
    ),
    _security("signed_in", "A user logged in.", {"proofs": ["pwd", "otp"]}),
    _security(
        "sign_in_failed",
        "Somebody tried to log in as a user, by a wrong password, code or passkey.",
        {"reason": "wrong-password"},
    ),
    _security(
        "step_up_failed",
        "A signed-in user, or who has their session, gave a wrong password, code or passkey when asked once more.",
        {"reason": "wrong-code"},
    ),
    _security(
        "account_taken_over",
        "Somebody proved the mail address of an account that never confirmed it; whatever it was entered by is void.",
    ),
    _security("address_confirmed", "A user showed that their mail address is theirs."),
    _security("password_changed", "A user has another password; their sessions were ended."),
    _security("mfa_enabled", "A user set up an authenticator app."),
    _security("mfa_disabled", "A user took their authenticator app away."),
    _security("passkey_added", "A user set up a passkey.", {"name": "Laptop"}),
    _security("passkey_removed", "A user took a passkey away.", {"name": "Laptop"}),
    _security(
        "passkey_cloned",
        "A passkey's counter went back: it may have been copied; what it was shown for was refused.",
        {"name": "Laptop"},
    ),
    _security("recovery_codes_renewed", "A user has new recovery codes; those before are void."),
    _security(
        "refresh_token_reused",
        "A refresh token came back long after it was replaced, so its session was ended.",
        {"session": _ID},
    ),
    EventType(
        "security.policy_changed",
        "What the organization asks of its users' log-ins was changed.",
        "tenant/<id>",
        {"id": TENANT, "mfa_required": True, "sso_only": False},
    ),
    EventType(
        "security.api_key_rotated",
        "An API key or a device key was replaced; it goes on until a time.",
        "api-key/<prefix>",
        {"prefix": "a1B2c3D4e5F6", "replaced_by": "b2C3d4E5f6G7", "until": "2026-03-02T10:00:00Z"},
    ),
    _member("role_changed", "A member has another role.", "viewer"),
    _member("joined", "Somebody who was invited joined the organization.", "member"),
    EventType(
        "member.invited",
        "Somebody was asked to join the organization.",
        "invitation/<id>",
        {"id": _ID, "email": "ada@acme.example", "role": "member"},
    ),
    EventType(
        "member.invitation_revoked",
        "An invitation was taken back.",
        "invitation/<id>",
        {"id": _ID, "email": "ada@acme.example"},
    ),
    _member("removed", "A member was taken out of the organization.", None),
    _member("left", "A member left the organization.", None),
    _endpoint("created", "A webhook endpoint was added."),
    _endpoint("updated", "A webhook endpoint's particulars were replaced."),
    _endpoint("secret_rotated", "A webhook endpoint has a new signing secret."),
    _endpoint("deleted", "A webhook endpoint was removed."),
    _endpoint("key_ended", "A signing key of a webhook endpoint signs no more."),
    _endpoint("verification_requested", "Somebody asked to have a webhook endpoint challenged once more."),
    EventType(
        "webhook.endpoint_failing",
        "Deliveries to a webhook endpoint have failed for 6 hours, a day, 3 days or 4½ days.",
        "webhook-endpoint/<id>",
        {
            "id": _ID,
            "url": "https://hooks.example.com/rmap",
            "version": 1,
            "failing_since": "2026-03-01T09:30:00Z",
            "reason": "The receiver answered 500.",
            "stage": 2,
            "disabled_from": "2026-03-06T09:30:00Z",
        },
    ),
    EventType(
        "webhook.endpoint_disabled",
        "The platform disabled a webhook endpoint: it failed for five days, or answered 410 Gone. Events wait for it.",
        "webhook-endpoint/<id>",
        {
            "id": _ID,
            "url": "https://hooks.example.com/rmap",
            "version": 1,
            "failing_since": "2026-03-01T09:30:00Z",
            "reason": "failing",
        },
        nullable=frozenset({"failing_since"}),
    ),
    EventType(
        "webhook.verification",
        "The challenge of an endpoint's owner; it goes to that endpoint alone, which answers with the challenge.",
        "webhook-endpoint/<id>",
        {"endpoint": _ID, "challenge": "c_2ZqN0YcJm4V8uB1xWkT7hQ"},
    ),
    EventType(
        "webhook.test",
        "Somebody asked for a test; it goes to the endpoint that is tested and nowhere else.",
        "webhook-endpoint/<id>",
        {"endpoint": _ID, "greeting": "It works."},
    ),
)
"""Every event of the platform; a test holds what the code emits to it."""

TEST = "webhook.test"
VERIFICATION = "webhook.verification"
ENDPOINT_FAILING = "webhook.endpoint_failing"
ENDPOINT_DISABLED = "webhook.endpoint_disabled"
ENDPOINT_CHANGES = "webhook.endpoint_"
"""What the types of changes to endpoints begin with."""

BY_NAME: Mapping[str, EventType] = {kind.name: kind for kind in CATALOGUE}
AREAS = frozenset(kind.area for kind in CATALOGUE)
