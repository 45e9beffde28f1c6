"""The wire's shapes of exports."""

from uuid import UUID

from tenant_context.wire import In, Out


class ProgressOut(Out):
    """How far an archive is; sources are tables and kinds of items."""

    sources: int
    sources_done: int
    rows: int
    bytes: int


class ExportOut(Out):
    """An archive; `kind` is `import` for one that filled this organization, `organization` then whose it is."""

    id: UUID
    kind: str
    status: str
    requested_by: UUID | None
    organization: UUID | None
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


class ImportIn(In):
    """The archive to fill your organization from: of which organization, and which export."""

    organization: UUID
    export: UUID


class FillIn(ImportIn):
    """The same, and the organization to fill."""

    into: UUID


class CertificateOut(Out):
    """What was erased of an organization, by store; it ended where `finished_at` is not null. It names no person.

    Backups end later: the keys of sealed fields can be restored for 35 days after it.
    """

    organization: UUID
    started_at: str
    finished_at: str | None
    counts: dict[str, int]
