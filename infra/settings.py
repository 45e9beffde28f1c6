"""The numbers of each stage, and what a deployment brings from outside. Imports no CDK."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

ROOT: Final = Path(__file__).resolve().parents[1]
REGION: Final = "us-east-1"
"""The one region: CloudFront takes its firewall and its certificate from nowhere else."""

DATABASE_NAME: Final = "rmap"
DATABASE_OWNER: Final = "rmap_owner"
DATABASE_USER: Final = "rmap_app"
DATABASE_PORT: Final = 5432
AUDIENCE: Final = "rmap"
LOCAL_API_ID: Final = "rmap"
LOCAL_API_STAGE: Final = "local"

StageName = Literal["local", "dev", "staging", "prod"]
Target = Literal["local", "cloud"]


@dataclass(frozen=True, slots=True)
class DatabaseNumbers:
    """How large the cluster may grow (Aurora capacity units of 2 GiB) and how long its backups last."""

    min_capacity: float
    max_capacity: float
    readers: int
    backup_days: int
    insights_days: int


@dataclass(frozen=True, slots=True)
class SigningKeyTimes:
    """How many seconds a key signs access tokens, is published before that, and is believed after.

    Before: at least as long as others may keep the key set (five minutes). After: at least an access token's life,
    the skew it is allowed and what sandboxes may be behind (16 minutes together).
    """

    rotate_after_s: int = 90 * 86_400
    publish_for_s: int = 3600
    overlap_s: int = 3600


@dataclass(frozen=True, slots=True)
class Argon2:
    """What a password costs to check: the memory-constrained choice of RFC 9106 (section 4), 64 MiB, 3 passes, 4 lanes.

    Hashes of other costs are made anew at their users' next log-ins.
    """

    time_cost: int = 3
    memory_kib: int = 65_536
    lanes: int = 4


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage. `protected`: nothing that holds data can be deleted by a deploy. `edge`: CloudFront and WAF."""

    name: StageName
    target: Target = "cloud"
    database: DatabaseNumbers | None = None
    protected: bool = False
    edge: bool = False
    zones: int = 2
    log_days: int = 30
    archive_days: int = 7
    requests_per_second: int = 500
    request_burst: int = 1000
    requests_per_address: int = 2000
    """Requests that one address may make in five minutes before the firewall refuses it."""
    cors_origins: tuple[str, ...] = ()
    log_level: str = "INFO"
    outbound_allow: str = ""
    argon2: Argon2 = Argon2()
    tries_per_address: int = 50
    """Wrong passwords and codes from one address, over all accounts, before it is slowed down."""
    origin_secrets: tuple[str, ...] = ("origin",)
    """What CloudFront proves itself to functions by: the first is sent, all are accepted."""
    signing_keys: SigningKeyTimes = SigningKeyTimes()

    @property
    def local(self) -> bool:
        """Whether it runs on this machine's AWS endpoint instead of in an account."""
        return self.target == "local"

    def named(self, name: str) -> str:
        """The name of a queue, table, bus or function in AWS: `rmap-<stage>-<name with dashes>`."""
        return f"rmap-{self.name}-{name.replace('_', '-')}"

    def secret(self, name: str) -> str:
        """The name of a secret in AWS: `rmap/<stage>/<name>`."""
        return f"rmap/{self.name}/{name}"


STAGES: Final[dict[str, Stage]] = {
    stage.name: stage
    for stage in (
        Stage(
            name="local",
            target="local",
            log_days=7,
            cors_origins=("*",),
            outbound_allow="127.0.0.0/8",
            argon2=Argon2(time_cost=2, memory_kib=19_456, lanes=1),  # OWASP's least: a suite signs hundreds up
            tries_per_address=100_000,  # tests and demos all come from one address
            # What a sandbox waits before it reads the ring for a name it does not know, and a little more.
            signing_keys=SigningKeyTimes(publish_for_s=12),
        ),
        Stage(
            name="dev",
            database=DatabaseNumbers(min_capacity=0.5, max_capacity=2, readers=0, backup_days=1, insights_days=7),
        ),
        Stage(
            name="staging",
            database=DatabaseNumbers(min_capacity=0.5, max_capacity=8, readers=1, backup_days=7, insights_days=7),
            protected=True,
            edge=True,
            archive_days=30,
            log_days=90,
        ),
        Stage(
            name="prod",
            database=DatabaseNumbers(min_capacity=2, max_capacity=64, readers=1, backup_days=35, insights_days=465),
            protected=True,
            edge=True,
            zones=3,
            archive_days=90,
            log_days=365,
            requests_per_second=2000,
            request_burst=4000,
            requests_per_address=10_000,
        ),
    )
}


class UnknownStageError(ValueError):
    """A stage that settings.py does not list."""


@dataclass(frozen=True, slots=True)
class Domain:
    """The API's public name, its ACM certificate in us-east-1, and its DNS zone when Route 53 has it."""

    name: str
    certificate: str
    zone_id: str = ""
    zone_name: str = ""


@dataclass(frozen=True, slots=True)
class LocalCloud:
    """Where the pieces that local/ runs are: the AWS endpoint, PostgreSQL and the stand-ins."""

    aws_url: str
    database_host: str
    database_port: int
    stripe_url: str
    outside_url: str = ""
    """Where the stand-in for DNS (by UDP) and the list of breached passwords (by HTTP) is."""

    @property
    def api_url(self) -> str:
        """The API's address without a host header: the endpoint's path form, by the API's pinned id."""
        return f"{self.aws_url}/_aws/execute-api/{LOCAL_API_ID}/{LOCAL_API_STAGE}"


@dataclass(frozen=True, slots=True)
class Deployment:
    """A stage together with what only this deployment knows."""

    stage: Stage
    version: str
    domain: Domain | None = None
    local: LocalCloud | None = None
    alarm_email: str = ""
    mail_domain: str = "mail.rmap.example"
    """Whose mails these are: SES sends for it once its DNS holds the records that SES asks for."""
    base_domain: str = ""
    """Every organization is found at `<slug>.<base domain>`; without it there are no subdomains."""
    passkey_domain: str = ""
    """Whom passkeys are for, the API's own host when empty: it can never be changed without losing all of them."""
    passkey_origins: tuple[str, ...] = ()
    """The pages that may ask for them, on that domain or below; the API's own origin when there is none."""


def read_deployment(context: Mapping[str, str], environment: Mapping[str, str] = os.environ) -> Deployment:
    """The deployment that `-c name=value` and RMAP_… variables describe; context wins.

    Stage (`-c stage=`, RMAP_STAGE) defaults to local. Raises UnknownStageError.
    """

    def given(name: str, default: str = "") -> str:
        return context.get(name) or environment.get(f"RMAP_{name.upper()}") or default

    name = given("stage", "local")
    if name not in STAGES:
        raise UnknownStageError(f"There is no stage {name!r}; the stages are {', '.join(STAGES)}.")
    stage = STAGES[name]
    domain = None
    if given("domain"):
        domain = Domain(given("domain"), given("certificate"), given("zone_id"), given("zone_name"))
        if not domain.certificate:
            raise UnknownStageError("A domain needs its certificate: -c certificate=<ARN in us-east-1>.")
    local = None
    if stage.local:
        local = LocalCloud(
            aws_url=(environment.get("AWS_ENDPOINT_URL") or "http://127.0.0.1:4566").rstrip("/"),
            database_host=given("local_database_host", "127.0.0.1"),
            database_port=int(given("local_database_port", str(DATABASE_PORT))),
            stripe_url=given("local_stripe_url"),
            outside_url=given("local_outside_url"),
        )
    return Deployment(
        stage=stage,
        version=given("version", _project_version()),
        domain=domain,
        local=local,
        alarm_email=given("alarm_email"),
        mail_domain=given("mail_domain", f"mail.{domain.name}" if domain else "mail.rmap.example"),
        base_domain=given("base_domain", "rmap.localhost" if local else "").lower(),
        passkey_domain=given("rp_id", "localhost" if local else domain.name if domain else ""),
        passkey_origins=_listed(given("rp_origins", _origins(domain, local))),
    )


def _origins(domain: Domain | None, local: LocalCloud | None) -> str:
    if local:
        return f"http://localhost,http://localhost:{local.aws_url.rpartition(':')[2]},{local.aws_url}"
    return f"https://{domain.name}" if domain else ""


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _project_version() -> str:
    for line in (ROOT / "pyproject.toml").read_text().splitlines():
        if line.startswith("version = "):
            return line.split('"')[1]
    raise ValueError("pyproject.toml states no version")
