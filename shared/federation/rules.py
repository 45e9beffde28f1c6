"""What is accepted of a provider: its description, its keys, its ID tokens."""

import json
from collections.abc import Mapping
from typing import Any

from shared.federation.errors import LoginRefused, ProviderRefused
from shared.federation.model import Metadata

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Asymmetric ones only: with the others, whoever knows the public key or the client's secret could sign."""
LEEWAY_SECONDS = 30
_KEY_TYPES = frozenset({"RSA", "EC", "OKP"})
_CLAIMS = ("sub", "email", "email_verified", "name", "amr", "iss")
_MAX_SUBJECT = 255
"""OpenID Connect Core 1.0, section 2."""
_MAX_CLAIM = 20_000


def read_json(body: bytes, what: str) -> dict[str, Any]:
    """A JSON object, or ProviderRefused."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ProviderRefused(f"{what} is not JSON.") from error
    if not isinstance(found, dict):
        raise ProviderRefused(f"{what} is no JSON object.")
    return found


def read_metadata(issuer: str, body: bytes) -> Metadata:
    """The description of the provider at `issuer`. Errors: ProviderRefused."""
    found = read_json(body, "The provider's description")
    if found.get("issuer") != issuer:
        raise ProviderRefused("The provider calls itself by another name than the issuer given.")
    urls = {}
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
        if not isinstance(found.get(name), str):
            raise ProviderRefused(f"The provider's description has no {name}.")
        urls[name] = found[name]
    if "code" not in _texts(found, "response_types_supported", "code"):
        raise ProviderRefused("The provider knows no authorization codes.")
    if "S256" not in _texts(found, "code_challenge_methods_supported", "S256"):
        raise ProviderRefused("The provider does not know PKCE with S256.")
    methods = _texts(found, "token_endpoint_auth_methods_supported", "client_secret_basic")
    if not {"client_secret_basic", "client_secret_post"} & set(methods):
        raise ProviderRefused("The provider takes no client secret.")
    userinfo = found.get("userinfo_endpoint")
    return Metadata(
        issuer=issuer,
        **urls,
        userinfo_endpoint=userinfo if isinstance(userinfo, str) else "",
        basic_authentication="client_secret_basic" in methods,
        names_itself=found.get("authorization_response_iss_parameter_supported") is True,
    )


def _texts(found: Mapping[str, Any], name: str, default: str) -> list[str]:
    value = found.get(name, [default])
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def usable_keys(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The public signing keys of a key set (RFC 7517)."""
    keys = found.get("keys")
    if not isinstance(keys, list):
        raise ProviderRefused("The provider's key set has no keys.")
    return [
        key
        for key in keys[:100]
        if isinstance(key, dict) and key.get("kty") in _KEY_TYPES and key.get("use", "sig") == "sig" and "d" not in key
    ]


def check_party(claims: Mapping[str, Any], client_id: str) -> None:
    """Whether a token with several audiences was issued to us (OpenID Connect Core 1.0, section 3.1.3.7)."""
    audience, party = claims.get("aud"), claims.get("azp")
    if isinstance(audience, list) and len(audience) > 1 and party is None:
        raise LoginRefused("The token is for many, and does not say who asked for it.")
    if party is not None and party != client_id:
        raise LoginRefused("The token was issued to somebody else.")


def kept(claims: Mapping[str, Any], role_claim: str) -> dict[str, Any]:
    """The claims that go on from here: those that somebody asks for, and none too long."""
    wanted = {name: claims[name] for name in (*_CLAIMS, role_claim) if name in claims}
    return {name: value for name, value in wanted.items() if len(json.dumps(value, default=str)) <= _MAX_CLAIM}


def check_subject(claims: Mapping[str, Any]) -> None:
    """Whether the token names a user, in plain letters."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 1 <= len(subject) <= _MAX_SUBJECT or not subject.isprintable():
        raise LoginRefused("The provider names no user.")
