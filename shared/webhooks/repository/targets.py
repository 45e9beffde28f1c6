"""Endpoints as the dispatcher sees them, in DynamoDB: written by functions with the database, read without it.

    endpoint#<id> / target    url, sealed keys and headers, how to call it, enabled, version; and what the dispatcher
                              found out: gone_at, failing_since, failing_reason, challenged

A copy is only ever replaced by a later version, so writers may race. A deleted endpoint leaves a tombstone, so that
a writer that still knew it cannot bring it back. What a challenge came to says of which URL, so that another one has to
be proved again whoever writes first.
"""

import base64
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from shared.webhooks.model import (
    Algorithm,
    Challenged,
    Endpoint,
    EndpointId,
    Findings,
    KeyId,
    Manner,
    Ordering,
    Proof,
    SigningKey,
    Target,
)
from tenant_context.clock import rfc3339
from tenant_context.context import TenantContext
from tenant_context.dynamo import ConditionFailed, Item, Table, TenantTable

_SK = "target"
_TOMBSTONE_VERSION = 2**53
_TOMBSTONE_KEPT = timedelta(days=100)
"""Longer than anything that waits for it is kept."""
_LONG_AGO = "1970-01-01T00:00:00Z"
_MANNER = frozenset(item.name for item in fields(Manner))


class TargetRepository:
    """The dispatcher's view of endpoints."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def put(self, tenant: TenantContext, endpoint: Endpoint) -> None:
        """Make the copy at least as new as this; a new version forgets that the receiver was gone."""
        with suppress(ConditionFailed):
            self._of(tenant).update(
                _key(endpoint.id),
                _SK,
                "SET endpoint = :id, #url = :url, secrets = :secrets, secret_headers = :headers, manner = :manner, "
                "enabled = :enabled, must_prove = :must_prove, version = :version REMOVE gone_at",
                {
                    ":id": endpoint.id,
                    ":url": endpoint.url,
                    ":secrets": [_sealed(key) for key in endpoint.keys],
                    ":headers": dict(endpoint.headers),
                    ":manner": asdict(endpoint.manner),
                    ":enabled": endpoint.enabled,
                    ":must_prove": endpoint.must_prove,
                    ":version": endpoint.version,
                },
                condition="attribute_not_exists(pk) OR version < :version",
                names={"#url": "url"},
            )

    def bury(self, tenant: TenantContext, endpoint: EndpointId, now: datetime) -> None:
        """Leave a tombstone for a deleted endpoint."""
        tombstone: Item = {
            "endpoint": endpoint,
            "url": "",
            "secrets": [],
            "enabled": False,
            "version": _TOMBSTONE_VERSION,
            "expires_at": int((now + _TOMBSTONE_KEPT).timestamp()),
        }
        self._of(tenant).put(_key(endpoint), _SK, tombstone)

    def find(self, tenant: TenantContext, endpoint: EndpointId) -> Target | None:
        """The endpoint as last written, or None."""
        item = self._of(tenant).get(_key(endpoint), _SK)
        return _target(item) if item else None

    def findings(self, tenant: TenantContext, endpoints: Iterable[EndpointId]) -> dict[UUID, Findings]:
        """What the dispatcher found out about some endpoints, by id."""
        items = self._of(tenant).get_many([(_key(endpoint), _SK) for endpoint in endpoints])
        return {UUID(item["endpoint"]): _findings(item) for item in items}

    def mark_gone(self, tenant: TenantContext, target: Target, now: datetime) -> None:
        """Stop deliveries until the endpoint is changed; nothing when it was changed meanwhile."""
        with suppress(ConditionFailed):
            self._of(tenant).update(
                _key(target.id),
                _SK,
                "SET gone_at = :now",
                {":now": rfc3339(now), ":version": target.version},
                condition="version = :version",
            )

    def mark_failing(self, tenant: TenantContext, target: Target, reason: str, now: datetime) -> None:
        """A delivery failed; the first one since the last success is remembered."""
        with suppress(ConditionFailed):
            self._of(tenant).update(
                _key(target.id),
                _SK,
                "SET failing_since = :now, failing_reason = :reason",
                {":now": rfc3339(now), ":reason": reason},
                condition="attribute_exists(pk) AND attribute_not_exists(failing_since)",
            )

    def mark_well(self, tenant: TenantContext, target: Target) -> None:
        """A delivery succeeded after others had failed."""
        with suppress(ConditionFailed):
            self._of(tenant).update(
                _key(target.id),
                _SK,
                "REMOVE failing_since, failing_reason",
                {":since": target.findings.failing_since},
                condition="failing_since = :since",
            )

    def mark_challenged(self, tenant: TenantContext, target: Target, proof: Proof, reason: str, now: datetime) -> None:
        """What a challenge of the target's URL came to; nothing where the endpoint has another by now.

        A URL that is verified stays so, whatever a challenge that was late says.
        """
        with suppress(ConditionFailed):
            self._of(tenant).update(
                _key(target.id),
                _SK,
                "SET challenged = :challenged",
                {
                    ":challenged": {"url": target.url, "proof": proof, "reason": reason, "at": rfc3339(now)},
                    ":url": target.url,
                    ":verified": Proof.VERIFIED,
                },
                condition="#url = :url AND NOT (challenged.#url = :url AND challenged.proof = :verified)",
                names={"#url": "url"},
            )

    def _of(self, tenant: TenantContext) -> TenantTable:
        return TenantTable(self._table, tenant)


def _key(endpoint: EndpointId) -> str:
    return f"endpoint#{endpoint}"


def _sealed(key: SigningKey) -> dict[str, str | None]:
    return {
        "id": str(key.id),
        "algorithm": key.algorithm,
        "ciphertext": base64.b64encode(key.ciphertext).decode(),
        "created_at": rfc3339(key.created_at),
        "until": rfc3339(key.until) if key.until else None,
    }


def _signing_key(sealed: dict[str, Any]) -> SigningKey:
    # The release before knew neither ids nor algorithms.
    return SigningKey(
        KeyId(UUID(sealed.get("id", str(UUID(int=0))))),
        Algorithm(sealed.get("algorithm", Algorithm.HMAC)),
        base64.b64decode(sealed["ciphertext"]),
        datetime.fromisoformat(sealed.get("created_at", _LONG_AGO)),
        datetime.fromisoformat(sealed["until"]) if sealed["until"] else None,
    )


def _target(item: Item) -> Target:
    return Target(
        id=EndpointId(UUID(item["endpoint"])),
        url=item["url"],
        keys=tuple(map(_signing_key, item["secrets"])),
        headers=item.get("secret_headers", {}),
        manner=_manner(item.get("manner", {})),
        enabled=item["enabled"],
        must_prove=item.get("must_prove", False),
        version=item["version"],
        findings=_findings(item),
    )


def _manner(kept: dict[str, Any]) -> Manner:
    """Only what this release knows: a later one may have written more."""
    known = {name: value for name, value in kept.items() if name in _MANNER}
    if known.get("retry_schedule") is not None:
        known["retry_schedule"] = tuple(known["retry_schedule"])
    return Manner(**{**known, "ordering": Ordering(known.get("ordering", Ordering.NONE))})


def _findings(item: Item) -> Findings:
    challenged = item.get("challenged")
    return Findings(
        gone_at=item.get("gone_at"),
        failing_since=item.get("failing_since"),
        failing_reason=item.get("failing_reason", ""),
        challenged=Challenged(challenged["url"], Proof(challenged["proof"]), challenged["reason"], challenged["at"])
        if challenged
        else None,
    )
