"""What may be said of an endpoint, and what rotation does to its keys."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from shared.events.rules.bodies import PAYLOAD_VERSIONS, is_filter
from shared.outbound.errors import UrlRefused
from shared.outbound.rules import urls
from shared.outbound.rules.addresses import AllowList
from shared.outbound.rules.own import NOBODY, Own
from shared.webhooks.errors import EndpointRefused, KeyNotFound, LastKey, TooManyKeys, UnknownEventTypes
from shared.webhooks.model import (
    Disabled,
    Endpoint,
    EndpointDraft,
    EndpointId,
    Filters,
    KeyId,
    Manner,
    SigningKey,
)
from shared.webhooks.rules import conditions, headers, retries
from tenant_context.errors import FieldError

OVERLAP = timedelta(hours=24)
"""How long the key before the present one signs as well, unless somebody says otherwise."""
LONGEST_OVERLAP = timedelta(days=7)
MOST_KEYS = 6
"""As many signatures as a delivery carries at most."""


def create(
    endpoint: EndpointId,
    draft: EndpointDraft,
    keys: tuple[SigningKey, ...],
    sealed: Mapping[str, bytes],
    by: str,
    now: datetime,
) -> Endpoint:
    """A new endpoint; its draft was checked."""
    return Endpoint(
        id=endpoint,
        url=draft.url,
        description=draft.description,
        filters=_each_once(draft.filters),
        manner=draft.manner,
        headers=sealed,
        keys=keys,
        disabled=None if draft.enabled else Disabled(by, now),
        must_prove=True,
        version=1,
        created_at=now,
        updated_at=now,
    )


def not_there(filters: Filters, unknown: Collection[UUID]) -> EndpointRefused:
    """What to say of filters that name what the organization does not have."""
    named = (("site_ids", filters.site_ids, "place"), ("campaign_ids", filters.campaign_ids, "campaign"))
    return EndpointRefused(
        [
            FieldError(f"/{field}/{position}", f"unknown-{what}", f"names no {what} of this organization")
            for field, ids, what in named
            for position, one in enumerate(ids)
            if one in unknown
        ]
    )


def amend(endpoint: Endpoint, draft: EndpointDraft, sealed: Mapping[str, bytes], by: str, now: datetime) -> Endpoint:
    """The endpoint with other particulars, one version later; its draft was checked. Another URL has to be proved."""
    off = endpoint.disabled or Disabled(by, now)
    return replace(
        endpoint,
        url=draft.url,
        description=draft.description,
        filters=_each_once(draft.filters),
        manner=draft.manner,
        headers=sealed,
        disabled=None if draft.enabled else off,
        must_prove=endpoint.must_prove or draft.url != endpoint.url,
        version=endpoint.version + 1,
        updated_at=now,
    )


def rotate(endpoint: Endpoint, key: SigningKey, overlap: timedelta, now: datetime) -> Endpoint:
    """The endpoint with a new key; the others of its algorithm sign on for the overlap. Errors: TooManyKeys."""
    until = now + overlap
    present = [replace(one, until=_sooner(one.until, until)) if one.algorithm is key.algorithm else one
               for one in signing(endpoint.keys, now)]  # fmt: skip
    kept = signing(present, now)
    if len(kept) >= MOST_KEYS:
        raise TooManyKeys(f"{MOST_KEYS} keys sign; end one first, or wait until one has ended.")
    return _with_keys(endpoint, (key, *kept), now)


def end_key(endpoint: Endpoint, key: KeyId, now: datetime) -> Endpoint:
    """The endpoint without a key. Errors: KeyNotFound, LastKey."""
    present = signing(endpoint.keys, now)
    left = tuple(one for one in present if one.id != key)
    if len(left) == len(present):
        raise KeyNotFound
    if all(one.until is not None for one in left):
        raise LastKey("Make another one first: POST rotate-secret.")
    return _with_keys(endpoint, left, now)


def signing(keys: Sequence[SigningKey], now: datetime) -> list[SigningKey]:
    """The keys that sign at a moment."""
    return [key for key in keys if key.until is None or now < key.until]


def check(draft: EndpointDraft, allowed: AllowList, before: Endpoint | None = None, *, own: Own = NOBODY) -> None:
    """Raise what is wrong with a draft of an endpoint as it was: UrlRefused, UnknownEventTypes, EndpointRefused."""
    url = urls.parse(draft.url, allowed)
    own.check(url)
    unknown = [position for position, text in enumerate(draft.filters.event_types) if not is_filter(text)]
    if unknown:
        raise UnknownEventTypes(unknown)
    wanted = draft.headers or {}
    found = [*conditions.check(draft.filters.conditions), *headers.check(wanted), *_manner(draft.manner)]
    kept = before.headers if before else {}
    found += [
        FieldError(f"/headers/{name}", "no-value", "has no value to keep; give one")
        for name, value in wanted.items()
        if value is None and name.lower() not in kept and not headers.check({name: None})
    ]
    if before is not None and not _is_at_home(before.url, url, allowed):
        found += _left_behind(draft, kept)
    if found:
        raise EndpointRefused(found)


def _is_at_home(before: str, url: urls.Url, allowed: AllowList) -> bool:
    """Whether calls go to the same scheme, host and port as before; not from a URL that may be called no more."""
    try:
        return urls.parse(before, allowed).origin == url.origin
    except UrlRefused:
        return False


def _left_behind(draft: EndpointDraft, kept: Mapping[str, bytes]) -> list[FieldError]:
    """Values of headers that would go along: they were given for one host, and are not for another to read."""
    wanted = dict.fromkeys(kept) if draft.headers is None else draft.headers
    return [
        FieldError(f"/headers/{name}", "another-origin", "was given for another host; give it anew, or leave it out")
        for name, value in wanted.items()
        if value is None and name.lower() in kept
    ]


def _manner(manner: Manner) -> list[FieldError]:
    found = []
    if manner.payload_version not in PAYLOAD_VERSIONS:
        known = ", ".join(map(str, PAYLOAD_VERSIONS))
        found.append(FieldError("/payload_version", "unknown-version", f"must be one of: {known}"))
    if (message := retries.wrong_schedule(manner.retry_schedule)) is not None:
        found.append(FieldError("/retry_schedule", "retry-schedule", message))
    return found


def _with_keys(endpoint: Endpoint, keys: tuple[SigningKey, ...], now: datetime) -> Endpoint:
    return replace(endpoint, keys=keys, version=endpoint.version + 1, updated_at=now)


def _sooner(one: datetime | None, other: datetime) -> datetime:
    return other if one is None else min(one, other)


def _each_once(filters: Filters) -> Filters:
    return replace(
        filters,
        event_types=tuple(dict.fromkeys(filters.event_types)),
        site_ids=tuple(dict.fromkeys(filters.site_ids)),
        campaign_ids=tuple(dict.fromkeys(filters.campaign_ids)),
    )
