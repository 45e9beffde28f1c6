"""The wire's shapes of jobs."""

from typing import Any
from uuid import UUID

from tenant_context.wire import Out


class JobsOut(Out):
    """The jobs there are."""

    items: list[str]


class StartedOut(Out):
    """A run that was queued."""

    id: UUID
    job: str
    status: str


class RunOut(Out):
    """A run; `detail` says what was done."""

    id: UUID
    job: str
    status: str
    detail: dict[str, Any]
    created_at: str
    finished_at: str | None


class RunPage(Out):
    """A page of runs, newest first."""

    items: list[RunOut]
    next_cursor: str | None
