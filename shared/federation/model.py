"""The words of federation."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a provider says of itself (OpenID Connect Discovery 1.0, section 3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str
    basic_authentication: bool
    """Whether clients prove themselves in the Authorization header (RFC 6749, section 2.3.1), not in the body."""
    names_itself: bool
    """Whether its answers to log-ins carry `iss` (RFC 9207)."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A code that came back from a provider, and what it was asked with."""

    issuer: str
    client_id: str
    client_secret: str
    code: str
    verifier: str
    """PKCE's (RFC 7636)."""
    redirect_uri: str
    nonce: str
    role_claim: str = ""
    """The claim that goes on from here beside those that everybody has."""
