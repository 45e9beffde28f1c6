"""The words of places."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

PRIMARY: Final = "#1d4ed8"
ACCENT: Final = "#c2410c"


@dataclass(frozen=True, slots=True)
class OwnSettings:
    """How an organization counts and writes; version 0 is the platform's own choice."""

    time_zone: str = "UTC"
    """IANA."""
    locale: str = "en"
    """A language tag (BCP 47)."""
    currency: str = "EUR"
    """ISO 4217."""
    week_start: str = "monday"
    contact_email: str | None = None
    """Where notices to the organization go, beside its people's own addresses."""
    version: int = 0


@dataclass(frozen=True, slots=True)
class Branding:
    """How an organization looks; None is the platform's own choice, and version 0 was never changed."""

    display_name: str | None = None
    primary_color: str | None = None
    accent_color: str | None = None
    logo_url: str | None = None
    logo_alt: str | None = None
    support_email: str | None = None
    support_url: str | None = None
    footer: str | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class Look:
    """A branding, and what the organization is called where it says nothing else."""

    name: str
    branding: Branding


@dataclass(frozen=True, slots=True)
class CustomDomain:
    """A host of an organization's own; the organization is found at it once its DNS holds the challenge."""

    domain: str
    challenge: str
    created_at: datetime
    verified_at: datetime | None
    contested_at: datetime | None = None
    """Since when another organization's challenge is in its DNS, and this one's is not."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has verified a domain that another organization claims as well."""

    tenant: UUID
    challenge: str


@dataclass(frozen=True, slots=True)
class Place:
    """The organization at a host, as everybody may know it."""

    slug: str
    look: Look
    single_sign_on: bool
    """Whether people can come in by an identity provider of the organization's own."""
