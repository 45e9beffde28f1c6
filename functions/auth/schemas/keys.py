"""Keys: of programs, and of the platform itself."""

from ipaddress import ip_network
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from shared.identity.model import ApiKey
from tenant_context.clock import rfc3339
from tenant_context.wire import In, Moment, Name, Out


def _network(text: str) -> str:
    return str(ip_network(text))


# Pydantic's own type of networks brings a module along that starts as slowly as all shapes here together.
Network = Annotated[str, StringConstraints(max_length=50), AfterValidator(_network)]


class ApiKeyIn(In):
    """A key to make: what it may do (`ingest.write` for sensors and tills) and until when."""

    name: Name
    scopes: Annotated[
        list[Annotated[str, StringConstraints(pattern=r"^([a-z]{2,30}|\*)\.([a-z]{2,30}|\*)$")]],
        Field(min_length=1, max_length=20),
    ]
    expires_at: Moment | None = None
    ip_allowlist: Annotated[list[Network], Field(max_length=20)] = []
    """Where it may be used from, as CIDR writes networks; anywhere, when left out."""


class RotateIn(In):
    """For how many hours the key that is replaced goes on."""

    grace_hours: Annotated[int, Field(ge=0, le=24)] = 0


class ApiKeyOut(Out):
    """A key; `key` is in the answer to its making only."""

    prefix: str
    name: str
    scopes: list[str]
    created_at: str
    expires_at: str | None
    revoked: bool
    ip_allowlist: list[str]
    last_used_at: str | None
    key: str | None = None


class ApiKeysOut(Out):
    """The organization's keys."""

    items: list[ApiKeyOut]


class JwksOut(Out):
    """RFC 7517 key set."""

    keys: list[dict[str, str]]


class DiscoveryOut(Out):
    """OpenID Connect discovery, as far as it applies: who verifies access tokens finds the keys by it."""

    issuer: str
    jwks_uri: str
    response_types_supported: list[str]
    subject_types_supported: list[str]


def api_key(value: ApiKey) -> dict[str, object]:
    """The answer's form of a key."""
    shown: dict[str, object] = {
        "prefix": value.prefix,
        "name": value.name,
        "scopes": list(value.scopes),
        "created_at": rfc3339(value.created_at),
        "expires_at": rfc3339(value.expires_at) if value.expires_at else None,
        "revoked": value.revoked,
        "ip_allowlist": list(value.networks),
        "last_used_at": rfc3339(value.last_used_at) if value.last_used_at else None,
    }
    return {**shown, "key": value.text} if value.text else shown
