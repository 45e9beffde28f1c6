"""The environment, read once, typed.

A function declares what it needs as a frozen dataclass; `load` reads it and names every missing or unreadable
variable at once.
"""

import os
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, ClassVar, Self, get_type_hints


class SettingsError(Exception):
    """The environment lacks something; the message names every variable concerned."""


def _convert(kind: Any, text: str) -> Any:
    if kind is int:
        return int(text)
    if kind is bool:
        return text.lower() in {"1", "true", "on", "yes"}
    if kind == tuple[str, ...]:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return text


@dataclass(frozen=True)
class Settings:
    """Base of typed settings: field `bus` of a class with prefix `RMAP_` is the variable `RMAP_BUS`."""

    prefix: ClassVar[str] = "RMAP_"

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the fields from the environment; fields with a default may be absent."""
        source = os.environ if environ is None else environ
        kinds = get_type_hints(cls)
        values: dict[str, Any] = {}
        wrong: list[str] = []
        for field in fields(cls):
            name = cls.prefix + field.name.upper()
            if name not in source:
                if field.default is MISSING and field.default_factory is MISSING:
                    wrong.append(f"{name} is not set")
                continue
            try:
                values[field.name] = _convert(kinds[field.name], source[name])
            except ValueError:
                wrong.append(f"{name} is not {kinds[field.name].__name__}: {source[name]!r}")
        if wrong:
            raise SettingsError(f"{cls.__name__}: " + "; ".join(wrong))
        return cls(**values)


@dataclass(frozen=True)
class RuntimeSettings(Settings):
    """What every function has."""

    stage: str
    version: str = "unknown"
    table_rates: str = ""
    """Where tenants' calls are counted for all sandboxes; without it, each sandbox counts its own."""
    tracing: bool = False
    origin_secrets: tuple[str, ...] = ()
    """Secrets of which CloudFront sends one; without any, every request is taken as it comes."""
    queue_usage: str = ""
    """Where requests are told that were counted; empty where nothing is."""


@dataclass(frozen=True)
class AwsSettings(Settings):
    """Where AWS is, as Lambda and the SDKs name it, for libraries that must be told."""

    prefix: ClassVar[str] = "AWS_"

    region: str = "us-east-1"
    endpoint_url: str = ""
    """Set where another endpoint stands for AWS; empty for AWS itself."""


@dataclass(frozen=True)
class DatabaseSettings(Settings):
    """Where PostgreSQL is, and how the function proves itself to it."""

    prefix: ClassVar[str] = "RMAP_DATABASE_"

    host: str
    port: int = 5432
    name: str = "rmap"
    user: str = "rmap_app"
    auth: str = "iam"
    """`iam` signs a token for each connection (RDS Proxy); `secret` reads a password."""
    secret: str = ""
    reader_host: str = ""


@dataclass(frozen=True)
class TokenSettings(Settings):
    """In whose name access tokens are issued, for whom, and where it is kept who may be believed."""

    issuer: str
    table_revocations: str
    table_signing_keys: str
    audience: str = "rmap"


@dataclass(frozen=True)
class KeySettings(Settings):
    """Where API keys are, and what their digests are made with."""

    table_api_keys: str
    pepper_secret: str
