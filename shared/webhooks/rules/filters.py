"""Which events an endpoint gets, beside their types: by what they are about, and by what they hold.

An event is about the site, the zone or the region that is its subject or that its data names, and about everything
that this is in: who asks for a region gets what happens in its stores and their zones.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any
from uuid import UUID

from shared.webhooks.model import Filters
from shared.webhooks.rules import conditions

_SITES = ("site_id", "zone_id", "parent_id", "previous_parent_id")
"""Names of data that hold a place: a move is about where it was and where it is."""


def passes(filters: Filters, envelope: Mapping[str, Any], places: Collection[str]) -> bool:
    """Whether an event passes an endpoint's filters; its type was looked at already.

    Named sites or campaigns let through what is about one of them, and nothing that is about neither. `places` are
    those that the event is about (`sites_of`), and all that these are in.
    """
    if filters.site_ids or filters.campaign_ids:
        sites, campaigns = set(map(str, filters.site_ids)), set(map(str, filters.campaign_ids))
        about = set(_named("campaign", ("campaign_id",), envelope))
        if sites.isdisjoint(places) and campaigns.isdisjoint(about):
            return False
    return conditions.hold(filters.conditions, envelope)


def sites_of(envelope: Mapping[str, Any]) -> frozenset[str]:
    """The places that an event names."""
    return frozenset(filter(_is_id, _named("site", _SITES, envelope)))


def _named(kind: str, names: Collection[str], envelope: Mapping[str, Any]) -> Iterator[str]:
    """The ids of a kind of thing that an event is about: its subject, or what its data refers to."""
    subject, _, name = str(envelope["subject"]).partition("/")
    if subject == kind:
        yield name
    data = envelope["data"]
    yield from (data[one] for one in names if isinstance(data.get(one), str))
    many = data.get(f"{kind}_ids")
    if isinstance(many, list):
        yield from (entry for entry in many if isinstance(entry, str))


def _is_id(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
