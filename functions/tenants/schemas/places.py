"""Settings, branding, custom domains, and what log-in pages are told."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from shared.identity.service.challenges import RECORD
from shared.names.rules import shown
from shared.places.model import ACCENT, PRIMARY, Branding, CustomDomain, Look, OwnSettings, Place
from shared.places.rules import text_on
from tenant_context.clock import rfc3339
from tenant_context.wire import Currency, Email, In, Name, Out, WebAddress, multiline_text

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


class SettingsIn(In):
    """The settings to change; what is left out stays as it is."""

    time_zone: Annotated[str, StringConstraints(min_length=1, max_length=64)] = "UTC"
    """An IANA name, for example `Europe/Berlin`."""
    locale: Annotated[str, StringConstraints(min_length=2, max_length=35)] = "en"
    """A language tag (BCP 47), for example `pt-BR`."""
    currency: Currency = "EUR"
    """ISO 4217."""
    week_start: Weekday = "monday"
    contact_email: Email | None = None
    """Where notices to the organization go; null takes it away."""

    def changes(self) -> dict[str, Any]:
        """What was sent."""
        return self.model_dump(include=self.model_fields_set)


class SettingsOut(Out):
    """How the organization counts and writes; at version 0 it has chosen nothing yet."""

    time_zone: str
    locale: str
    currency: str
    week_start: str
    contact_email: str | None
    version: int


Color = Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$", to_lower=True)]
Footer = Annotated[
    str, StringConstraints(min_length=1, max_length=1000, strip_whitespace=True), BeforeValidator(multiline_text)
]


class Logo(In):
    """A picture that is elsewhere, and what it says to who does not see it."""

    url: WebAddress
    alt: Name


class BrandingIn(In):
    """How the organization looks; what is left out or null is the platform's own choice."""

    display_name: Name | None = None
    primary_color: Color | None = None
    accent_color: Color | None = None
    logo: Logo | None = None
    support_email: Email | None = None
    support_url: WebAddress | None = None
    footer: Footer | None = None

    def branding(self) -> Branding:
        """The domain's form."""
        return Branding(
            display_name=self.display_name,
            primary_color=self.primary_color,
            accent_color=self.accent_color,
            logo_url=self.logo.url if self.logo else None,
            logo_alt=self.logo.alt if self.logo else None,
            support_email=self.support_email,
            support_url=self.support_url,
            footer=self.footer,
        )


class TextOut(Out):
    """The colour of text that is read best on another colour, black or white, and its contrast (WCAG): 4.5 or more."""

    color: str
    contrast: float


class LogoOut(Out):
    """A picture, and what it says to who does not see it."""

    url: str
    alt: str


class LookOut(Out):
    """How the organization looks; without a display name of its own it is called by its name."""

    display_name: str
    primary_color: str
    text_on_primary: TextOut
    accent_color: str
    text_on_accent: TextOut
    logo: LogoOut | None
    support_email: str | None
    support_url: str | None
    footer: str | None


class BrandingOut(LookOut):
    """How the organization looks; at version 0 it has chosen nothing yet."""

    version: int


class CustomDomainIn(In):
    """A host of your own; other scripts than Latin may be written as they are or in their xn-- form."""

    domain: Annotated[str, StringConstraints(min_length=1, max_length=255, strip_whitespace=True)]


class CustomDomainOut(Out):
    """A host of your own; to verify it, put `challenge` into a TXT record at `record`."""

    domain: str
    shown: str
    """The same as people read it."""
    record: str
    challenge: str
    created_at: str
    verified_at: str | None
    contested_at: str | None
    """Since when another organization's challenge stands there and yours does not: put it back within three days and
    verify it, or the domain is theirs."""


class CustomDomainsOut(Out):
    """The hosts at which the organization is found; without a subdomain, the platform gives none."""

    subdomain: str | None
    items: list[CustomDomainOut]


class HostQuery(In):
    """The host of a page, with or without a port."""

    host: Annotated[str, Field(min_length=1, max_length=300)]


class PlaceOut(Out):
    """The organization at a host."""

    slug: str
    display_name: str
    branding: LookOut
    single_sign_on: bool
    """Whether people can log in by the organization's identity provider."""


def settings(value: OwnSettings) -> dict[str, Any]:
    """The answer's form of settings."""
    names = ("time_zone", "locale", "currency", "week_start", "contact_email", "version")
    return {name: getattr(value, name) for name in names}


def branding(value: Look) -> dict[str, Any]:
    """The answer's form of a branding, for the organization itself."""
    return {**_look(value), "version": value.branding.version}


def _look(value: Look) -> dict[str, Any]:
    own = value.branding
    primary, accent = own.primary_color or PRIMARY, own.accent_color or ACCENT
    return {
        "display_name": own.display_name or value.name,
        "primary_color": primary,
        "text_on_primary": _text_on(primary),
        "accent_color": accent,
        "text_on_accent": _text_on(accent),
        "logo": {"url": own.logo_url, "alt": own.logo_alt} if own.logo_url else None,
        "support_email": own.support_email,
        "support_url": own.support_url,
        "footer": own.footer,
    }


def _text_on(color: str) -> dict[str, Any]:
    text, contrast = text_on(color)
    return {"color": text, "contrast": contrast}


def domain(value: CustomDomain) -> dict[str, Any]:
    """The answer's form of a custom domain."""
    return {
        "domain": value.domain,
        "shown": shown(value.domain),
        "record": f"{RECORD}.{value.domain}",
        "challenge": value.challenge,
        "created_at": rfc3339(value.created_at),
        "verified_at": rfc3339(value.verified_at) if value.verified_at else None,
        "contested_at": rfc3339(value.contested_at) if value.contested_at else None,
    }


def place(value: Place) -> dict[str, Any]:
    """The answer's form of the organization at a host."""
    look = _look(value.look)
    return {
        "slug": value.slug,
        "display_name": look["display_name"],
        "branding": look,
        "single_sign_on": value.single_sign_on,
    }
