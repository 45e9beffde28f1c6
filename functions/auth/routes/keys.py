"""Keys: of programs, and of the platform itself."""

from dataclasses import replace
from datetime import timedelta

from functions.auth.routes.declared import Auth, routes
from functions.auth.schemas import keys as wire
from shared.identity.gateway.tokens import jwk
from tenant_context.postgres import Transaction
from tenant_context.routing import Answer, Call, Proof


@routes.write(
    "POST",
    "/api/v1/api-keys",
    permission="keys.write",
    body=wire.ApiKeyIn,
    answer=wire.ApiKeyOut,
    status=201,
    recent=True,
)
def make_key(call: Call[wire.ApiKeyIn], tx: Transaction, auth: Auth) -> Answer:
    """Make an API or device key; its text is in this answer and nowhere else."""
    body = call.body
    networks = tuple(body.ip_allowlist)
    key = auth.keys.make(tx, body.name, tuple(body.scopes), expires_at=body.expires_at, networks=networks)
    # A repeated Idempotency-Key is answered without the key's text, which is kept nowhere.
    return Answer(wire.api_key(key), kept=wire.api_key(replace(key, text="")))


@routes.read("/api/v1/api-keys", permission="keys.read", answer=wire.ApiKeysOut)
def keys(call: Call[None], auth: Auth) -> Answer:
    """List the organization's keys."""
    return Answer({"items": [wire.api_key(key) for key in auth.keys.all(call.tenant)]})


@routes.write("DELETE", "/api/v1/api-keys/{prefix}", permission="keys.write", status=204, recent=True)
def revoke_key(call: Call[None], tx: Transaction, auth: Auth) -> Answer:
    """Revoke a key; it stops within ten seconds."""
    auth.keys.revoke(tx, call.path["prefix"])
    return Answer()


@routes.write(
    "POST",
    "/api/v1/api-keys/{prefix}/rotate",
    permission="keys.write",
    body=wire.RotateIn,
    answer=wire.ApiKeyOut,
    status=201,
    recent=True,
)
def rotate_key(call: Call[wire.RotateIn], tx: Transaction, auth: Auth) -> Answer:
    """Replace a key by one like it; the one before goes on for the hours you say."""
    key = auth.keys.rotate(tx, call.path["prefix"], timedelta(hours=call.body.grace_hours))
    return Answer(wire.api_key(key), kept=wire.api_key(replace(key, text="")))


@routes.read("/.well-known/jwks.json", proof=Proof.PUBLIC, answer=wire.JwksOut)
def jwks(_call: Call[None], auth: Auth) -> Answer:
    """The public keys that access tokens are, were lately or will soon be signed with."""
    keys = [jwk(key) for key in auth.ring.published()]
    return Answer({"keys": keys}, headers={"cache-control": "public, max-age=300"})


@routes.read("/.well-known/openid-configuration", proof=Proof.PUBLIC, answer=wire.DiscoveryOut)
def discovery(_call: Call[None], auth: Auth) -> Answer:
    """Where verifiers find what they need."""
    return Answer(
        {
            "issuer": auth.issuer,
            "jwks_uri": f"{auth.issuer}/.well-known/jwks.json",
            "response_types_supported": [],
            "subject_types_supported": ["public"],
        },
        headers={"cache-control": "public, max-age=300"},
    )
