"""The words of tenants."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries of the audit log are asked for; None is any."""

    action: str | None = None
    """Like `member.joined`; `security.*` for all of an area."""
    actor: str | None = None
    """Like `user:<id>` or `key:<prefix>`."""
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None
