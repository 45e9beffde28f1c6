"""API keys of programs and devices: `rmap_<env>_<prefix>_<random><checksum>`.

Only an HMAC of the key is stored, under its prefix. The checksum lets a leaked-key checker, and this door, tell a
mistyped key from an unknown one without a look-up.
"""

import hashlib
import hmac
import secrets
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tenant_context.aws import AwsError
from tenant_context.context import TenantContext, from_key
from tenant_context.dynamo import ConditionFailed, Table, tenant_key
from tenant_context.errors import Unauthenticated
from tenant_context.plans import USUAL, Rate, read_rate
from tenant_context.secrets import secret
from tenant_context.state_news import Allowed, Standing, States

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZabcdefghjkmnpqrstvwxyz"
_PREFIX_LENGTH = 12
_RANDOM_LENGTH = 32
_CHECKSUM_LENGTH = 6
_NOTED_SECONDS = 300
_REMEMBERED = 4096
"""A bound, so that a sandbox's memory stays flat."""
_TRUSTED_SECONDS = 10
"""A revoked key stops within this time: how long a look-up is kept."""


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _checksum(text: str) -> str:
    value = zlib.crc32(text.encode())
    digits = []
    for _ in range(_CHECKSUM_LENGTH):
        value, digit = divmod(value, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(digits)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key at its making: `text` is shown once and then forgotten."""

    prefix: str
    text: str


def make_key(stage: str) -> NewKey:
    """A fresh key; 32 characters of 54 carry 184 bits."""
    prefix = _random(_PREFIX_LENGTH)
    body = f"rmap_{stage}_{prefix}_{_random(_RANDOM_LENGTH)}"
    return NewKey(prefix, body + _checksum(body))


def is_prefix(text: str) -> bool:
    """Whether a key could have this prefix."""
    return len(text) == _PREFIX_LENGTH and set(text) <= set(_ALPHABET)


def key_prefix(text: str) -> str | None:
    """The prefix of a well-formed key, else None."""
    parts = text.split("_")
    well_formed = (
        text.isascii()
        and len(parts) == 4  # noqa: PLR2004  rmap, stage, prefix, secret
        and parts[0] == "rmap"
        and len(parts[2]) == _PREFIX_LENGTH
        and len(parts[3]) == _RANDOM_LENGTH + _CHECKSUM_LENGTH
        and hmac.compare_digest(_checksum(text[:-_CHECKSUM_LENGTH]), text[-_CHECKSUM_LENGTH:])
    )
    return parts[2] if well_formed else None


def key_hash(text: str, pepper: str) -> str:
    """What is stored of a key: HMAC-SHA-256 under the platform's pepper, in hex."""
    return hmac.new(pepper.encode(), text.encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key as the table `api_keys` holds it, at `key#<prefix>`."""

    prefix: str
    tenant: UUID
    digest: str
    scopes: frozenset[str]
    expires_at: int
    """Seconds since 1970; 0 = never."""
    revoked: bool
    networks: tuple[str, ...] = ()
    """Where it may be used from, as CIDR writes networks; anywhere, when there is none."""
    rate: Rate = USUAL.rate
    """How fast its tenant might call when it was made; what doors are told since comes before it."""
    sensor: str = ""
    """The id of the only sensor that it may push for; any, when empty."""

    def admits(self, address: str) -> bool:
        """Whether it may be used from an address."""
        if not self.networks:
            return True
        import ipaddress  # noqa: PLC0415  few keys ask for it, and a cold start would pay

        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
            found = found.ipv4_mapped
        return any(found in ipaddress.ip_network(network) for network in self.networks)


class ApiKeyVerifier:
    """Turns a key into the tenant's context, or raises `Unauthenticated`: unknown, wrong and revoked look alike."""

    def __init__(
        self, table: Table, pepper_secret: str, clock: Callable[[], datetime], states: States | None = None
    ) -> None:
        self._table = table
        self._states = states
        self._pepper_secret = pepper_secret
        self._clock = clock
        self._kept: dict[str, tuple[float, StoredKey]] = {}
        self._noted: dict[str, float] = {}

    def prove(self, credential: str, request_id: str, address: str = "") -> TenantContext:
        """The context a good key opens; it holds the key's scopes and nothing else."""
        prefix = key_prefix(credential)
        stored = self._find(prefix) if prefix else None
        digest = key_hash(credential, secret(self._pepper_secret))
        now = self._clock().timestamp()
        good = (
            stored is not None
            and hmac.compare_digest(stored.digest, digest)
            and not stored.revoked
            and (not stored.expires_at or now < stored.expires_at)
            and stored.admits(address)
        )
        if stored is None or not good:
            raise Unauthenticated("The API key is not valid.")
        self._note(stored, now)
        standing = self._states.standing(stored.tenant) if self._states else Standing("active", None)
        allowed = standing.allowed or Allowed(stored.rate)
        return from_key(
            stored.prefix,
            stored.tenant,
            stored.scopes,
            request_id,
            address,
            state=standing.state,
            rate=allowed.rate,
            full=allowed.full,
            bound={"sensor": stored.sensor} if stored.sensor else None,
        )

    def _note(self, stored: StoredKey, now: float) -> None:
        """Keep when it was last used, to five minutes; that this fails is nobody's concern who uses it."""
        if now - self._noted.get(stored.prefix, 0) < _NOTED_SECONDS:
            return
        if len(self._noted) >= _REMEMBERED:
            self._noted.clear()
        self._noted[stored.prefix] = now
        with suppress(AwsError, ConditionFailed):
            self._table.update(
                tenant_key(stored.tenant, "keys"),
                stored.prefix,
                "SET last_used_at = :now",
                {":now": int(now)},
                condition="attribute_exists(pk)",
            )

    def _find(self, prefix: str) -> StoredKey | None:
        now = self._clock().timestamp()
        kept = self._kept.get(prefix)
        if kept is not None and now - kept[0] < _TRUSTED_SECONDS:
            return kept[1]
        item = self._table.get(f"key#{prefix}", "key")
        if item is None:
            self._kept.pop(prefix, None)
            return None
        stored = StoredKey(
            prefix=prefix,
            tenant=UUID(item["tenant"]),
            digest=item["digest"],
            scopes=frozenset(item["scopes"]),
            expires_at=int(item.get("valid_until", 0)),
            revoked=bool(item.get("revoked", False)),
            networks=tuple(item.get("networks", ())),
            rate=read_rate(item.get("rate")),
            sensor=str(item.get("sensor", "")),
        )
        if len(self._kept) >= _REMEMBERED:
            self._kept.clear()
        self._kept[prefix] = (now, stored)
        return stored
