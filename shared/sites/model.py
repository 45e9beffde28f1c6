"""The words of a store."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NewType
from uuid import UUID

SiteId = NewType("SiteId", UUID)
SensorId = NewType("SensorId", UUID)


@dataclass(frozen=True, slots=True)
class SiteDraft:
    """What a caller says of a site; `time_zone` is an IANA name, `code` the tenant's own short name of it."""

    name: str
    code: str | None
    address: str
    time_zone: str
    metadata: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Site:
    """A store."""

    id: SiteId
    name: str
    code: str
    address: str
    time_zone: str
    metadata: dict[str, Any]
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class SensorDraft:
    """What a caller says of a sensor; `serial` is what the device calls itself, unique within the tenant."""

    site_id: SiteId
    name: str
    serial: str
    kind: str
    vendor: str
    interval_minutes: int


@dataclass(frozen=True, slots=True)
class Sensor:
    """A people counter."""

    id: SensorId
    site_id: SiteId
    name: str
    serial: str
    kind: str
    vendor: str
    interval_minutes: int
    status: str
    version: int
    created_at: datetime
    updated_at: datetime
