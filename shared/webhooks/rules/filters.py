"""Which events an endpoint gets, beside their types: by what they are about, and by what they hold."""

from collections.abc import Iterator, Mapping
from typing import Any

from shared.webhooks.model import Filters
from shared.webhooks.rules import conditions


def passes(filters: Filters, envelope: Mapping[str, Any]) -> bool:
    """Whether an event passes an endpoint's filters; its type was looked at already.

    Named sites or campaigns let through what is about one of them, and nothing that is about neither.
    """
    if filters.site_ids or filters.campaign_ids:
        sites, campaigns = set(map(str, filters.site_ids)), set(map(str, filters.campaign_ids))
        if sites.isdisjoint(_about("site", envelope)) and campaigns.isdisjoint(_about("campaign", envelope)):
            return False
    return conditions.hold(filters.conditions, envelope)


def _about(kind: str, envelope: Mapping[str, Any]) -> Iterator[str]:
    """The ids of a kind of thing that an event is about: its subject, or what its data refers to."""
    subject, _, name = str(envelope["subject"]).partition("/")
    if subject == kind:
        yield name
    data = envelope["data"]
    one, many = data.get(f"{kind}_id"), data.get(f"{kind}_ids")
    if isinstance(one, str):
        yield one
    if isinstance(many, list):
        yield from (entry for entry in many if isinstance(entry, str))
