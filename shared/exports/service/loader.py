"""Fills an empty tenant from an archive: rows keep their ids, and become the new tenant's.

What the archive left out does not come back: secrets are empty until they are set anew, and what DynamoDB had is not
taken over (the directory of devices is built from rows every day; keys are made anew).

The manifest, which is the archive's last file, is read first: where this deployment has not sealed it nothing else is
read, and a file that is not what it says is refused before any row of it is added. Rows that refer to what is not here
are left out, and counted. So are people: nobody becomes a member by an import.

Each file is noted once its rows are there, so that the next worker goes on after it. What the new tenant's plan or
state refuses ends the import with that reason; what came in stays, and the same import, asked for once more, goes on.
"""

import hashlib
import tarfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import closing, suppress
from dataclasses import replace
from typing import Any
from uuid import UUID

from shared.exports.errors import Abandoned, Damaged, NotEmpty, NotFilled, NotOurs
from shared.exports.gateway.archives import Archives, key_of
from shared.exports.model import ExportId, File, Mark, Part, Table, Work
from shared.exports.repository.exports import ExportRepository
from shared.exports.repository.tables import TableRepository
from shared.exports.rules import archive
from shared.exports.rules.contents import LEFT_OUT, OWN, taken_over
from shared.exports.rules.seal import opened
from shared.exports.rules.unpacking import check_sizes, lines
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message
from tenant_context.errors import FeatureNotInPlan, LimitReached, NotInState
from tenant_context.events import Event
from tenant_context.postgres import Database
from tenant_context.queues import Queue
from tenant_context.states import Need, permits, refusal

_ROWS = 1000
MEMBERS = "tables/memberships"
_TAIL = 65_536
_LONGEST = 32 * 1024 * 1024
"""Bytes of the archive's end in which the manifest is looked for, at first and at most."""
_BEGUN = "import"
"""Stands where an export has its upload, once the tenant was seen to be empty."""
BUDGET_SECONDS = 200.0
"""After that the rest is left to another run, well before Lambda ends this one."""
ITS_OWN = {OWN, "memberships", "audit_log", "invitations", "job_runs", *LEFT_OUT}
"""Tables in which a tenant that only signed up may have rows, beside those that are not taken over."""


class Loader:
    """Fills one tenant at a time; `pepper` is what manifests are sealed with."""

    def __init__(
        self,
        database: Database,
        exports: ExportRepository,
        tables: TableRepository,
        archives: Archives,
        queue: Queue,
        *,
        pepper: Callable[[], str],
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._exports = exports
        self._tables = tables
        self._archives = archives
        self._queue = queue
        self._pepper = pepper
        self._elapsed = elapsed

    def load(self, tenant: TenantContext, message: Message) -> None:
        """Take over the archive that a message names, or go on with it; done again, it changes nothing. Errors: Busy.

        `data` says whose archive it is (`from`) and which (`export`). What cannot be is its reason to have failed.
        """
        export = ExportId(UUID(message.data["export"]))
        key = key_of(UUID(message.data["from"]), export)
        with suppress(Abandoned):
            with self._database.transaction(tenant) as tx:
                if not self._exports.has(tx, export):
                    self._exports.add(tx, export, "import", key)
            with self._database.transaction(tenant) as tx:
                work = self._exports.claim(tx, export)
            try:
                ended = self._go_on(tenant, work, key)
            except NotInState:
                raise
            except NotFilled as error:
                with self._database.transaction(tenant) as tx:
                    self._exports.finish(tx, export, reason=str(error))
                return
            except Exception:
                self._release(tenant, work)
                raise
            if not ended:
                self._release(tenant, work)
                self._queue.send([message])

    def _go_on(self, tenant: TenantContext, work: Work, key: str) -> bool:
        """Whether the archive was read to its end within this run's time."""
        tables = {table.name: table for table in self._tables.all() if taken_over(table.name)}
        with self._database.transaction(tenant) as tx:
            state = self._exports.state(tx)
        if not permits(state, Need.WRITE):
            raise NotFilled(refusal(state).detail)
        if barred := self._exports.barred(UUID(key.partition("/")[0])):
            raise NotFilled(f"Of the organization whose archive it is: {refusal(barred).detail}")
        if not work.upload:
            self._begin(tenant, work, tables)
        told = self._fill(tenant, work, key, tables)
        if told is None:
            return False
        with self._database.transaction(tenant) as tx:
            done = self._exports.finish(tx, work.id, remark=told)
            if done is not None:
                tx.emit(Event("tenant.imported", f"import/{work.id}", {"id": str(work.id), "rows": done["rows"]}))
        return True

    def _begin(self, tenant: TenantContext, work: Work, tables: dict[str, Table]) -> None:
        filled = [
            name for name, table in tables.items() if name not in ITS_OWN and self._tables.has_rows(tenant, table)
        ]
        if filled:
            raise NotEmpty(self._not_empty(tenant, filled))
        with self._database.transaction(tenant) as tx:
            self._exports.begin(tx, work, _BEGUN, len(tables))
        work.upload, work.mark = _BEGUN, Mark()

    def _not_empty(self, tenant: TenantContext, filled: Sequence[str]) -> str:
        """What is there, and the way out: where an import stopped, that one goes on, and no other begins."""
        with self._database.transaction(tenant) as tx:
            stopped = self._exports.stopped(tx)
        goes_on = f" Some came by the import {stopped}: ask for that one again, and it goes on." if stopped else ""
        return (
            f"The organization has rows already, in {', '.join(filled)}.{goes_on}"
            " Another archive is for another organization, which has nothing yet: sign one up, and fill that."
        )

    def _fill(self, tenant: TenantContext, work: Work, key: str, tables: dict[str, Table]) -> str | None:
        """Add what is in the files that are not noted yet; None when time ran out before the archive's end.

        Answers what was left out, in words; empty where that is nothing. Errors: Damaged, NotFilled.
        """
        until = self._elapsed() + BUDGET_SECONDS
        said = self._said(key)
        parts = self._exports.parts(tenant, work.id)
        start = sum(part.bytes for part in parts)
        try:
            with (
                closing(self._archives.read(key, start)) as body,
                tarfile.open(fileobj=body, mode="r|") as tar,
            ):
                for entry in tar:
                    if self._elapsed() > until:
                        return None
                    stream = tar.extractfile(entry)
                    if stream is None:
                        raise Damaged(f"{entry.name[:100]} in the archive is no file.")
                    if entry.name == archive.MANIFEST:
                        continue
                    try:
                        file = self._add(tenant, _judged(entry, stream.read, said), tables)
                    except LimitReached as error:
                        raise NotFilled(_too_small(error.members, said)) from error
                    except FeatureNotInPlan as error:
                        raise NotFilled(f"{error.detail} Then ask again: it goes on.") from error
                    length = start + entry.offset_data + archive.padded(entry.size) - sum(part.bytes for part in parts)
                    parts.append(self._note(tenant, work, Part(len(parts) + 1, "", length, [file])))
        except tarfile.TarError as error:
            raise Damaged("The archive is no tar file, or not a whole one.") from error
        added = {file.name: file for part in parts for file in part.files}
        _distrust(said.keys() ^ added.keys())
        return _left_out(said, added, tables)

    def _said(self, key: str) -> dict[str, File]:
        """The files that the manifest names, once it was seen to be ours. Errors: Damaged, NotOurs."""
        length, found = _TAIL, None
        while found is None:
            tail = self._archives.tail(key, length)
            found = archive.last_member(tail)
            if found is None and (len(tail) < length or length > _LONGEST):
                raise Damaged("The archive has no manifest.")
            length *= 8
        document = opened(found, self._pepper())
        if document["format"] != archive.FORMAT:
            raise Damaged(f"The archive is not of the form {archive.FORMAT}.")
        if key_of(UUID(document["tenant"]), ExportId(UUID(document["export"]))) != key:
            raise NotOurs("The archive is of another organization, or another export, than it is called.")
        said = archive.files_of(document)
        check_sizes(said)
        return said

    def _add(self, tenant: TenantContext, judged: tuple[File, bytes], tables: dict[str, Table]) -> File:
        """Add a file's rows where they are taken over; answers it with how many were."""
        file, content = judged
        kind, name = file.source.split("/")
        rows = 0
        if kind == "tables" and name in tables:
            for batch in _batches(lines(file, content)):
                rows += len(batch) - self._tables.add(tenant, tables[name], batch)
        elif file.source == MEMBERS:
            for batch in _batches(lines(file, content)):
                rows += self._tables.members(tenant, batch)
        return replace(file, rows=rows)

    def _note(self, tenant: TenantContext, work: Work, part: Part) -> Part:
        source = part.files[0].source
        if source not in work.mark.done and source.partition("/")[0] == "tables" and taken_over(source[7:]):
            work.mark.done.append(source)
        with self._database.transaction(tenant) as tx:
            self._exports.note(tx, work, part, work.mark)
        return part

    def _release(self, tenant: TenantContext, work: Work) -> None:
        with self._database.transaction(tenant) as tx:
            self._exports.release(tx, work.id)


def _judged(entry: tarfile.TarInfo, read: Callable[[], bytes], said: dict[str, File]) -> tuple[File, bytes]:
    """A file that is what the manifest says, and its content. Errors: Damaged."""
    file = said.get(entry.name)
    if file is None or entry.size != file.bytes:
        raise _distrusted({entry.name})
    content = read()
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise _distrusted({entry.name})
    return file, content


def _too_small(told: Mapping[str, Any], said: Mapping[str, File]) -> str:
    """A limit that is reached, by what the archive brings where that can be told, and the way out."""
    limit, value = told["limit"], told["value"]
    brought = sum(file.rows for file in said.values() if file.source == f"tables/{limit}")
    begun = f"The archive has {brought} {limit}; this plan allows" if brought else f"The limit {limit} is"
    return f"{begun} {value}. Change the plan, then ask again: it goes on where it stopped."


def _distrust(names: AbstractSet[str]) -> None:
    if names:
        raise _distrusted(names)


def _distrusted(names: AbstractSet[str]) -> Damaged:
    return Damaged(f"The archive is not what its manifest says: {', '.join(sorted(names)[:5])}.")


def _left_out(said: dict[str, File], added: dict[str, File], tables: dict[str, Table]) -> str:
    """How many rows of which tables could not be added."""
    missing, people = Counter[str](), 0
    for name, file in said.items():
        table = file.source.removeprefix("tables/")
        if table in tables:
            missing[table] += file.rows - added[name].rows
        elif file.source == MEMBERS:
            people += file.rows - added[name].rows
    rows = ", ".join(f"{table} {count}" for table, count in sorted(missing.items()) if count)
    told = [f"Rows left out, as what they refer to is not here: {rows}."] if rows else []
    if people:
        told.append(f"Members of the other organization who are none here, and can be invited: {people}.")
    return " ".join(told)


def _batches(lines: Iterator[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    for line in lines:
        batch.append(line)
        if len(batch) == _ROWS:
            yield batch
            batch = []
    if batch:
        yield batch
