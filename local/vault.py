"""The instance's generated secrets: made once, kept in one file only its owner may read."""

import base64
import secrets
from dataclasses import asdict, dataclass, fields

from local.instance import Instance, read_json, write_json


@dataclass(frozen=True)
class Secrets:
    """Passwords of PostgreSQL's three roles, the pepper, the Stripe stand-in's key, the operator's, ad platforms'."""

    postgres: str
    rmap_owner: str
    rmap_app: str
    pepper: str
    stripe_api_key: str
    operator: str
    meta_app_secret: str
    meta_verify_token: str
    tiktok_client_secret: str


def secrets_of(instance: Instance) -> Secrets:
    """The instance's secrets; what is not there yet is made."""
    path = instance.folder / "secrets.json"
    kept = {name: value for name, value in read_json(path).items() if isinstance(value, str)}
    made = {
        **{role: secrets.token_urlsafe(24) for role in ("postgres", "rmap_owner", "rmap_app")},
        "pepper": base64.b64encode(secrets.token_bytes(32)).decode(),
        "stripe_api_key": f"sk_test_{secrets.token_hex(16)}",
        "operator": secrets.token_urlsafe(36),
        "meta_app_secret": secrets.token_hex(16),
        "meta_verify_token": secrets.token_hex(16),
        "tiktok_client_secret": secrets.token_hex(16),
    }
    all_secrets = Secrets(**{item.name: kept.get(item.name) or made[item.name] for item in fields(Secrets)})
    if asdict(all_secrets) != kept:
        write_json(path, asdict(all_secrets))
    return all_secrets
