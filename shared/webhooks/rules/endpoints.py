"""What may be said of an endpoint, and what rotation does to its secrets."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from shared.events.rules.bodies import is_filter
from shared.outbound.rules import urls
from shared.outbound.rules.addresses import AllowList
from shared.webhooks.errors import UnknownEventTypes
from shared.webhooks.model import Endpoint, EndpointDraft, EndpointId, SealedSecret

OVERLAP = timedelta(hours=24)
"""How long the secret before the present one signs as well."""


def create(
    endpoint: EndpointId, draft: EndpointDraft, secret: SealedSecret, allowed: AllowList, now: datetime
) -> Endpoint:
    """A new endpoint. Errors: UrlRefused, UnknownEventTypes."""
    check(draft, allowed)
    return Endpoint(
        id=endpoint,
        url=draft.url,
        description=draft.description,
        event_types=_each_once(draft.event_types),
        secrets=(secret,),
        enabled=draft.enabled,
        version=1,
        created_at=now,
        updated_at=now,
    )


def amend(endpoint: Endpoint, draft: EndpointDraft, allowed: AllowList, now: datetime) -> Endpoint:
    """The endpoint with other particulars, one version later. Errors: UrlRefused, UnknownEventTypes."""
    check(draft, allowed)
    return replace(
        endpoint,
        url=draft.url,
        description=draft.description,
        event_types=_each_once(draft.event_types),
        enabled=draft.enabled,
        version=endpoint.version + 1,
        updated_at=now,
    )


def rotate(endpoint: Endpoint, secret: SealedSecret, now: datetime) -> Endpoint:
    """The endpoint with a new secret; the one before it signs on for the overlap, an older one no more."""
    old = SealedSecret(endpoint.secrets[0].ciphertext, now + OVERLAP)
    return replace(endpoint, secrets=(secret, old), version=endpoint.version + 1, updated_at=now)


def signing(secrets: Sequence[SealedSecret], now: datetime) -> list[SealedSecret]:
    """The secrets that sign at a moment."""
    return [secret for secret in secrets if secret.until is None or now < secret.until]


def check(draft: EndpointDraft, allowed: AllowList) -> None:
    """Raise what is wrong with a draft."""
    urls.parse(draft.url, allowed)
    unknown = [position for position, text in enumerate(draft.event_types) if not is_filter(text)]
    if unknown:
        raise UnknownEventTypes(unknown)


def _each_once(filters: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filters))
