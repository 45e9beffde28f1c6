"""Endpoints as the dispatcher sees them, in DynamoDB: written by functions with the database, read without it.

    endpoint#<id> / target    url, sealed keys and headers, how to call it, enabled, version; and what the dispatcher
                              found out: gone_at, given_up_at, failing_since, failing_reason, failures, trips,
                              circuit_until, throttled_until, warned, warned_at, slow_until, challenged, asked,
                              missed_since; and when its backlog is looked at: wake_at, in the index of what is due; and
                              who replays it, until when: replay_by, replay_until

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
    Asked,
    Challenged,
    Circuit,
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
from shared.webhooks.repository.due import place
from tenant_context.clock import rfc3339
from tenant_context.context import TenantContext
from tenant_context.dynamo import ConditionFailed, Item, Table, TenantTable, tenant_key

_SK = "target"
_TOMBSTONE_VERSION = 2**53
_TOMBSTONE_KEPT = timedelta(days=100)
"""Longer than anything that waits for it is kept."""
_LONG_AGO = "1970-01-01T00:00:00Z"
_SLOW_AGAIN = 50
"""Seconds in which a mark is renewed at most once."""
_WAKE_SLACK = 30
"""Seconds after which the sweep sees to a backlog whose own message did not."""
_FAILURES = (
    "gone_at, given_up_at, failing_since, failing_reason, failures, trips, circuit_until, throttled_until, "
    "warned, warned_at"
)
_TROUBLES = f"{_FAILURES}, slow_until"
"""One that takes what it is sent, after half a minute each, stays slow."""
_MANNER = frozenset(item.name for item in fields(Manner))


class TargetRepository:
    """The dispatcher's view of endpoints."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def put(self, tenant: TenantContext, endpoint: Endpoint) -> None:
        """Make the copy at least as new as this; a new version forgets what was wrong with the one before."""
        with suppress(ConditionFailed):
            self._of(tenant).update(
                _key(endpoint.id),
                _SK,
                "SET endpoint = :id, #url = :url, secrets = :secrets, secret_headers = :headers, manner = :manner, "
                "enabled = :enabled, must_prove = :must_prove, version = :version REMOVE " + _TROUBLES,
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

    def find_many(
        self, wanted: Iterable[tuple[TenantContext, EndpointId]]
    ) -> dict[tuple[UUID, EndpointId], Target | Exception]:
        """Endpoints of any tenants as last written, by tenant and endpoint; those that are not there are left out.

        An exception for one that cannot be read, as one with a value of a later release.
        """
        several = {(tenant.tenant, endpoint) for tenant, endpoint in wanted}
        asked = {name: tenant_key(name[0], _key(name[1])) for name in several}
        items = self._table.get_many([(key, _SK) for key in asked.values()], consistent=True)
        found = {item["pk"]: _readable(item) for item in items}
        return {name: found[key] for name, key in asked.items() if key in found}

    def versions(self, tenant: TenantContext, endpoints: Iterable[EndpointId]) -> dict[UUID, int]:
        """At which versions the copies of some endpoints are, at least."""
        items = self._of(tenant).get_many([(_key(endpoint), _SK) for endpoint in endpoints])
        return {UUID(item["endpoint"]): int(item["version"]) for item in items}

    def findings(self, tenant: TenantContext, endpoints: Iterable[EndpointId]) -> dict[UUID, Findings]:
        """What the dispatcher found out about some endpoints, by id."""
        items = self._of(tenant).get_many([(_key(endpoint), _SK) for endpoint in endpoints])
        return {UUID(item["endpoint"]): _findings(item) for item in items}

    def mark_gone(self, tenant: TenantContext, target: Target, now: datetime) -> None:
        """Stop deliveries until the endpoint is changed; nothing when it was changed meanwhile."""
        self._disable(tenant, target, "gone_at", now)

    def mark_failing(self, tenant: TenantContext, target: Target, reason: str, now: datetime) -> Findings:
        """A delivery failed; what is known of the endpoint now, the failures in a row counted."""
        try:
            item = self._of(tenant).update(
                _key(target.id),
                _SK,
                "SET failing_since = if_not_exists(failing_since, :now), failing_reason = :reason ADD failures :one",
                {":now": rfc3339(now), ":reason": reason, ":one": 1},
                condition="attribute_exists(pk)",
            )
        except ConditionFailed:
            return target.findings
        return _findings(item)

    def mark_well(self, tenant: TenantContext, target: Target) -> None:
        """A delivery succeeded after others had failed, since its endpoint was last changed."""
        with suppress(ConditionFailed):
            self._of(tenant).update(
                _key(target.id),
                _SK,
                f"REMOVE {_FAILURES}",
                {":version": target.version},
                condition="version = :version AND attribute_not_exists(gone_at) AND attribute_not_exists(given_up_at)",
            )

    def open_circuit(self, tenant: TenantContext, target: Target, circuit: Circuit, seen: float | None) -> bool:
        """Let it rest; whether this call said so first. `seen` is the end of the probe that failed, if one did."""
        values = {":until": circuit.until, ":trips": circuit.trips}
        condition = "attribute_exists(pk) AND attribute_not_exists(circuit_until)"
        if seen is not None:
            values[":seen"] = seen
            condition = "circuit_until = :seen"
        return self._did(tenant, target.id, "SET circuit_until = :until, trips = :trips", values, condition)

    def take_probe(self, tenant: TenantContext, target: Target, until: float) -> bool:
        """Take the one attempt that a circuit lets through after its rest; nobody else does before `until`."""
        circuit = target.findings.circuit
        if circuit is None:
            return True
        values = {":until": until, ":seen": circuit.until}
        return self._did(tenant, target.id, "SET circuit_until = :until", values, "circuit_until = :seen")

    def throttle(self, tenant: TenantContext, target: Target, until: float) -> None:
        """Send it nothing before a moment."""
        self._did(
            tenant,
            target.id,
            "SET throttled_until = :until",
            {":until": until, ":version": target.version},
            "version = :version AND (attribute_not_exists(throttled_until) OR throttled_until < :until)",
        )

    def mark_slow(self, tenant: TenantContext, target: Target, until: float) -> None:
        """It lets calls wait: for a while, it gets only a few at once."""
        self._did(
            tenant,
            target.id,
            "SET slow_until = :until",
            {":until": until, ":soon": until - _SLOW_AGAIN},
            "attribute_exists(pk) AND (attribute_not_exists(slow_until) OR slow_until < :soon)",
        )

    def mark_warned(self, tenant: TenantContext, target: Target, stage: int, now: datetime) -> None:
        """Its owner was told that it fails."""
        values = {":stage": stage, ":now": rfc3339(now), ":version": target.version}
        self._did(tenant, target.id, "SET warned = :stage, warned_at = :now", values, "version = :version")

    def give_up(self, tenant: TenantContext, target: Target, now: datetime) -> None:
        """Disable it for having failed for days, until it is changed."""
        self._disable(tenant, target, "given_up_at", now)

    def _disable(self, tenant: TenantContext, target: Target, moment: str, now: datetime) -> None:
        """Note the moment, and since when it failed where it did: a change clears all that is known but this."""
        values, expression = {":now": rfc3339(now), ":version": target.version}, f"SET {moment} = :now"
        if (since := target.findings.failing_since) is not None:
            values[":since"] = since
            expression += ", missed_since = if_not_exists(missed_since, :since)"
        self._did(tenant, target.id, expression, values, "version = :version")

    def wake(
        self, tenant: TenantContext, endpoint: EndpointId, at: float, now: float, *, late: float = 2 * _WAKE_SLACK
    ) -> bool:
        """Note when its backlog is looked at next; whether nobody had noted an earlier moment that is still to come.

        `late` are the seconds after which a moment that was noted is not waited for any more.
        """
        bucket, order = place(at + _WAKE_SLACK, f"{tenant.tenant}#{endpoint}")
        return self._did(
            tenant,
            endpoint,
            "SET wake_at = :at, gsi1pk = :bucket, gsi1sk = :order",
            {":at": at, ":bucket": bucket, ":order": order, ":lost": now - late},
            "attribute_exists(pk) AND (attribute_not_exists(wake_at) OR wake_at > :at OR wake_at < :lost)",
        )

    def awake(self, tenant: TenantContext, endpoint: EndpointId) -> None:
        """Its backlog is being looked at; whatever is put there from now on notes a moment of its own."""
        self._did(tenant, endpoint, "REMOVE wake_at, gsi1pk, gsi1sk", {}, "attribute_exists(pk)")

    def take_turn(self, tenant: TenantContext, endpoint: EndpointId, name: str, now: float, until: float) -> bool:
        """Be the one who replays what it missed, by a name, until a moment; False where somebody else does.

        Its backlog is looked at again after that moment, where nobody wakes it before: whoever replays may die.
        """
        bucket, order = place(until + _WAKE_SLACK, f"{tenant.tenant}#{endpoint}")
        return self._did(
            tenant,
            endpoint,
            "SET replay_by = :name, replay_until = :until, wake_at = :until, gsi1pk = :bucket, gsi1sk = :order",
            {":name": name, ":until": until, ":now": now, ":bucket": bucket, ":order": order},
            # What AWS was asked twice, because its answer was lost, finds its own name.
            "attribute_exists(pk) AND (attribute_not_exists(replay_until) OR replay_until < :now OR replay_by = :name)",
        )

    def end_recovery(self, tenant: TenantContext, endpoint: EndpointId, name: str) -> None:
        """What died before it was disabled is in its backlog, and so is the turn's end."""
        expression = "REMOVE missed_since, replay_by, replay_until"
        self._did(tenant, endpoint, expression, {":name": name}, "replay_by = :name")

    def end_turn(self, tenant: TenantContext, endpoint: EndpointId, name: str) -> None:
        """Have others replay what is left."""
        self._did(tenant, endpoint, "REMOVE replay_by, replay_until", {":name": name}, "replay_by = :name")

    def _did(
        self, tenant: TenantContext, endpoint: EndpointId, expression: str, values: dict[str, Any], condition: str
    ) -> bool:
        try:
            self._of(tenant).update(_key(endpoint), _SK, expression, values, condition=condition)
        except ConditionFailed:
            return False
        return True

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

    def begin_challenge(self, tenant: TenantContext, target: Target, by: str, now: float) -> bool:
        """Note that a URL is being challenged for somebody's wish; False where another was begun meanwhile."""
        seen = target.findings.asked
        values: dict[str, Any] = {":asked": {"url": target.url, "by": by, "at": now}, ":url": target.url}
        condition = "#url = :url AND attribute_not_exists(asked)"
        if seen is not None:
            values |= {":by": seen.by, ":at": seen.at}
            condition = "#url = :url AND asked.#by = :by AND asked.#at = :at"
        names = {"#url": "url"} | ({"#by": "by", "#at": "at"} if seen is not None else {})
        try:
            self._of(tenant).update(
                _key(target.id), _SK, "SET asked = :asked", values, condition=condition, names=names
            )
        except ConditionFailed:
            return False
        return True

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


def _readable(item: Item) -> Target | Exception:
    try:
        return _target(item)
    except (ValueError, TypeError, KeyError) as error:
        return error


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
    challenged, asked = item.get("challenged"), item.get("asked")
    return Findings(
        gone_at=item.get("gone_at"),
        failing_since=item.get("failing_since"),
        given_up_at=item.get("given_up_at"),
        failing_reason=item.get("failing_reason", ""),
        failures=int(item.get("failures", 0)),
        circuit=Circuit(float(item["circuit_until"]), int(item.get("trips", 0))) if "circuit_until" in item else None,
        throttled_until=float(item.get("throttled_until", 0)),
        warned=int(item.get("warned", 0)),
        warned_at=item.get("warned_at"),
        slow_until=float(item.get("slow_until", 0)),
        missed_since=item.get("missed_since"),
        challenged=Challenged(challenged["url"], Proof(challenged["proof"]), challenged["reason"], challenged["at"])
        if challenged
        else None,
        asked=Asked(asked["url"], asked["by"], float(asked["at"])) if asked else None,
    )
