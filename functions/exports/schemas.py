"""The wire's shapes of exports."""

from uuid import UUID

from tenant_context.wire import Out


class ProgressOut(Out):
    """How far an archive is; sources are tables and kinds of items."""

    sources: int
    sources_done: int
    rows: int
    bytes: int


class ExportOut(Out):
    """An archive; `kind` is `import` for one that this organization was filled from."""

    id: UUID
    kind: str
    status: str
    requested_by: UUID | None
    progress: ProgressOut
    reason: str
    created_at: str
    updated_at: str
    finished_at: str | None
    expires_at: str | None


class ExportPage(Out):
    """A page of archives, newest first."""

    items: list[ExportOut]
    next_cursor: str | None


class LinkOut(Out):
    """An address to load an archive down from, good for ten minutes and for whoever has it."""

    url: str
    expires_at: str
