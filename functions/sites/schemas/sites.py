"""The wire's shapes of sites."""

import base64
import binascii
from collections.abc import Sequence
from typing import Annotated, Any, Self
from uuid import UUID

import msgspec
from pydantic import Field, StringConstraints, model_validator

from shared.sites.model import After, Kind, Near, Order, Site, SiteDraft, SiteId, Wanted
from shared.sites.rules import check_metadata
from tenant_context.errors import FieldError, Invalid
from tenant_context.wire import In, Moment, Name, Out, Text

Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Latitude = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
Longitude = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
Area = Annotated[float, Field(gt=0, le=10_000_000, allow_inf_nan=False)]
_FARTHEST = 20_100_000
"""Metres from anywhere to the other side of the earth."""
_Plain = StringConstraints(pattern=r"^[^\x00]*$")


class SiteIn(In):
    """A site as a caller describes it; without a code it gets one.

    `address` has the lines above the town; `country` is a code of ISO 3166-1. `metadata` is any JSON of up to 16 kB.
    """

    name: Name
    code: Code | None = None
    address: Text = ""
    city: Annotated[str, StringConstraints(max_length=255), _Plain] = ""
    postal_code: Annotated[str, StringConstraints(max_length=32), _Plain] = ""
    country: Annotated[str, StringConstraints(pattern=r"^([A-Z]{2})?$")] = ""
    latitude: Latitude | None = None
    longitude: Longitude | None = None
    time_zone: Annotated[str, StringConstraints(max_length=64)] = "UTC"
    area_m2: Area | None = None
    sales_area_m2: Area | None = None
    metadata: Annotated[dict[Annotated[str, StringConstraints(max_length=64)], Any], Field(max_length=50)] = {}

    def draft(self) -> SiteDraft:
        """The domain's form."""
        return SiteDraft(**{name: getattr(self, name) for name in type(self).model_fields})


class NewSiteIn(SiteIn):
    """A new site, what it is, and what it is in."""

    kind: Kind = Kind.SITE
    parent_id: UUID | None = None


class ParentIn(In):
    """What the site is to be in; null for nothing."""

    parent_id: UUID | None


class SiteOut(Out):
    """A site; `distance_m` is from where a list was asked for."""

    id: UUID
    kind: Kind
    parent_id: UUID | None
    name: str
    code: str
    address: str
    city: str
    postal_code: str
    country: str
    latitude: float | None
    longitude: float | None
    time_zone: str
    area_m2: float | None
    sales_area_m2: float | None
    metadata: dict[str, Any]
    version: int
    created_at: str
    updated_at: str
    distance_m: float | None


class SitePage(Out):
    """A page of sites, in the order that was asked for."""

    items: list[SiteOut]
    next_cursor: str | None


class SiteQuery(In):
    """Which sites; each that is said holds.

    `search`: words of name, code, address, city or metadata, whatever their case and accents; the last may be the
    beginning of one.
    `metadata`: JSON that is part of it. `kind`: `site`, unless `parent` is asked for. `parent`: directly in this one
    (`none`: in nothing); `within`: somewhere in it. `near`: latitude and longitude, `radius` in metres around them.
    """

    search: Annotated[str, StringConstraints(max_length=200), _Plain] | None = None
    metadata: Annotated[str, StringConstraints(max_length=2000), _Plain] | None = None
    kind: Kind | None = None
    parent: Annotated[str, StringConstraints(max_length=36)] | None = None
    within: UUID | None = None
    near: Annotated[str, StringConstraints(max_length=64)] | None = Field(default=None, examples=["52.52,13.405"])
    radius: Annotated[float, Field(gt=0, le=_FARTHEST, allow_inf_nan=False)] | None = None
    sort: Order | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str, StringConstraints(max_length=2000)] | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.near is None and (self.radius is not None or self.sort is Order.DISTANCE):
            raise ValueError("radius and sort=distance need near")
        return self

    def wanted(self) -> Wanted:
        """The domain's form. Errors: Invalid."""
        roots = self.parent == "none"
        near = self._near()
        return Wanted(
            kind=Kind.SITE if self.kind is None and self.parent is None else self.kind,
            words=self.search or None,
            metadata=self._metadata(),
            parent=None if roots or self.parent is None else SiteId(_uuid(self.parent)),
            within=None if self.within is None else SiteId(self.within),
            roots=roots,
            near=near,
            order=self.sort or (Order.DISTANCE if near else Order.NEWEST),
        )

    def _metadata(self) -> dict[str, Any] | None:
        if self.metadata is None:
            return None
        try:
            document: dict[str, Any] = msgspec.json.decode(self.metadata, type=dict[str, Any])
        except (msgspec.DecodeError, RecursionError) as error:
            raise _wrong("metadata", 'is not a JSON object, such as {"floor":2}') from error
        check_metadata(document, "?metadata")
        if b"\\u0000" in msgspec.json.encode(document):
            raise _wrong("metadata", "must not contain the NUL character")
        return document

    def _near(self) -> Near | None:
        if self.near is None:
            return None
        try:
            latitude, longitude = (float(part) for part in self.near.split(","))
        except ValueError as error:
            raise _wrong("near", "is latitude and longitude with a comma between, such as 52.52,13.405") from error
        if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):  # noqa: PLR2004  what the earth has
            raise _wrong("near", "is no place: latitude is from -90 to 90, longitude from -180 to 180")
        return Near(latitude, longitude, self.radius)

    def after_of(self, wanted: Wanted) -> After | None:
        """Where the page begins. Errors: Invalid, for a cursor of another order or of nobody's."""
        if self.cursor is None:
            return None
        try:
            packed = base64.urlsafe_b64decode(self.cursor + "=" * (-len(self.cursor) % 4))
            order, key, last = msgspec.json.decode(packed, type=tuple[Order, str | None, UUID])
            if order is Order.DISTANCE:
                key = repr(float(key or ""))
            elif (key is None) != (order in {Order.CREATED, Order.NEWEST}) or "\0" in (key or ""):
                raise _wrong("cursor", "is not one this API gave")
        except (ValueError, binascii.Error, msgspec.DecodeError, msgspec.ValidationError) as error:
            raise _wrong("cursor", "is not one this API gave") from error
        if order is not wanted.order:
            raise _wrong("cursor", "is of a list in another order")
        return After(key, last)


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise _wrong("parent", "is neither an id nor none") from error


def _wrong(name: str, message: str) -> Invalid:
    return Invalid("Some parameters are wrong", errors=(FieldError(f"?{name}", name, message),))


def page(found: Sequence[tuple[Site, str | None]], order: Order, limit: int) -> dict[str, object]:
    """The answer's form of a page; `found` holds one more than `limit` where another follows."""
    shown = found[:limit]
    following = None
    if len(found) > limit:
        site, key = shown[-1]
        packed = msgspec.json.encode([order, key, site.id])
        following = base64.urlsafe_b64encode(packed).decode().rstrip("=")
    return {"items": [site for site, _ in shown], "next_cursor": following}


class PlacementOut(Out):
    """What a site is in (`until` is null) or was; what is gone has no name."""

    parent_id: UUID
    parent_name: str | None
    since: str
    until: str | None


class PlacementsOut(Out):
    """The placements of a site, newest first."""

    items: list[PlacementOut]


class TreeQuery(In):
    """The moment that the tree is wanted of; now, unless it is said."""

    at: Moment | None = None


class NodeOut(Out):
    """A place of a tree; `depth` below the one that was asked for."""

    id: UUID
    parent_id: UUID | None
    kind: Kind
    name: str
    code: str
    depth: int


class TreeOut(Out):
    """A place and all that is within it, each after what it is in."""

    items: list[NodeOut]


class OpenQuery(In):
    """The moment that is asked about; now, unless it is said."""

    at: Moment | None = None


class OpenOut(Out):
    """Whether it is open: `until` when, or when it `opens_at`; null where that is not within a week, or a year.

    `open` is null where the store has no opening hours, and nobody knows. `note` is what stands with the day, where its
    hours are special ones.
    """

    at: str
    time_zone: str
    open: bool | None
    until: str | None
    opens_at: str | None
    note: str
