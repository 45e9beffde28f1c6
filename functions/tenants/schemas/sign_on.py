"""Identity providers and mail domains."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from functions.tenants.schemas.organizations import RoleName
from shared.identity.model import MailDomain, Provider
from shared.identity.service.challenges import RECORD
from tenant_context.clock import rfc3339
from tenant_context.wire import In, Out, no_nul, one_form

Domain = Annotated[
    str,
    BeforeValidator(one_form),
    StringConstraints(
        max_length=253,
        pattern=r"^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])$",
    ),
]


class DomainIn(In):
    """A domain of mail addresses; write names in their xn-- form."""

    domain: Domain


class DomainOut(Out):
    """A domain; to verify it, put `challenge` into a TXT record at `record`."""

    domain: str
    record: str
    challenge: str
    created_at: str
    verified_at: str | None


class DomainsOut(Out):
    """Every domain of the organization."""

    items: list[DomainOut]


def domain(value: MailDomain) -> dict[str, object]:
    """The answer's form of a domain."""
    return {
        "domain": value.domain,
        "record": f"{RECORD}.{value.domain}",
        "challenge": value.challenge,
        "created_at": rfc3339(value.created_at),
        "verified_at": rfc3339(value.verified_at) if value.verified_at else None,
    }


def _no_fragment(value: str) -> str:
    parts = urlsplit(value)
    plain = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in {"localhost", "127.0.0.1", "::1"})
    if not plain or not parts.hostname or parts.fragment or "@" in parts.netloc or "\\" in value:
        raise ValueError("must be an https address without a fragment; plain http only for this machine itself")
    return value


ReturnUrl = Annotated[str, StringConstraints(max_length=2048, pattern=r"^[\x21-\x7e]+$"), AfterValidator(_no_fragment)]
Claim = Annotated[str, StringConstraints(max_length=255), BeforeValidator(no_nul)]


class ProviderIn(In):
    """An identity provider (OpenID Connect). Without `client_secret` the one before goes on."""

    issuer: Annotated[str, StringConstraints(min_length=8, max_length=2048, pattern=r"^https?://[\x21-\x7e]+$")]
    client_id: Annotated[str, StringConstraints(min_length=1, max_length=255), BeforeValidator(no_nul)]
    client_secret: Annotated[str, StringConstraints(min_length=1, max_length=2048)] | None = None
    role_claim: Claim = ""
    """The claim that says who is what, for example `groups`."""
    role_map: Annotated[dict[Claim, RoleName], Field(max_length=50)] = {}
    default_role: RoleName | None = None
    return_urls: Annotated[list[ReturnUrl], Field(min_length=1, max_length=10)]

    def provider(self, version: int) -> Provider:
        """The domain's form, its secret not sealed yet."""
        return Provider(
            issuer=self.issuer,
            client_id=self.client_id,
            sealed_secret=b"",
            role_claim=self.role_claim,
            role_map=dict(self.role_map),
            default_role=self.default_role,
            return_urls=tuple(self.return_urls),
            version=version,
        )


class ProviderOut(Out):
    """An identity provider; `redirect_uri` is what it has to know us by. Its secret is never told."""

    issuer: str
    client_id: str
    role_claim: str
    role_map: dict[str, str]
    default_role: str | None
    return_urls: list[str]
    redirect_uri: str
    version: int


def provider(value: Provider, url: str) -> dict[str, object]:
    """The answer's form of a provider."""
    return {
        "issuer": value.issuer,
        "client_id": value.client_id,
        "role_claim": value.role_claim,
        "role_map": value.role_map,
        "default_role": value.default_role,
        "return_urls": list(value.return_urls),
        "redirect_uri": f"{url}/api/v1/auth/sso/callback",
        "version": value.version,
    }
