"""What the door does with a push, done with a piece of a file: the same checks, refusals and duplicates."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from shared.sensors import rules
from shared.sensors.model import MAX_COUNTS, MAX_TRANSACTIONS, CountRow, TransactionRow
from shared.sensors.service import Find, Ingest, Look, Rows
from shared.sites.model import Known
from shared.uploads.errors import OnHold, Unreadable
from shared.uploads.gateway import Gathered, PieceQueue
from shared.uploads.model import Mark, Piece, Tally, Work
from shared.uploads.rules.cutting import batch_of
from shared.vendors.rules import tables
from shared.vendors.service import Vendors
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message
from tenant_context.errors import BadRequest, Invalid
from tenant_context.refusals import RowsOfDayTaken

_KEPT = 10_000


class Remembered:
    """Answers of the directory during one run; what is not there is asked for each time."""

    def __init__(self, find: Find, look: Look) -> None:
        self._find = find
        self._look = look
        self._sensors: dict[str, Known] = {}
        self._sites: dict[str, UUID] = {}

    def look(self, tenant: TenantContext, references: set[str]) -> Mapping[str, Known]:
        """The sensors behind references."""
        if missing := references - self._sensors.keys():
            self._sensors = {} if len(self._sensors) > _KEPT else self._sensors
            self._sensors |= self._look(tenant, missing)
        return {one: self._sensors[one] for one in references if one in self._sensors}

    def find(self, tenant: TenantContext, kind: str, references: set[str]) -> dict[str, UUID]:
        """The sites behind references."""
        if missing := references - self._sites.keys():
            self._sites = {} if len(self._sites) > _KEPT else self._sites
            self._sites |= self._find(tenant, kind, missing)
        return {one: self._sites[one] for one in references if one in self._sites}


class RowsOf:
    """The rows of a day by the plan as it is, which no message tells."""

    def __init__(self, rows: Rows, limit: int | None) -> None:
        self._rows = rows
        self._limit = limit

    def take(self, tenant: UUID, limit: int | None, rows: int) -> dict[str, str]:
        """Take a piece's rows. Errors: RowsOfDayTaken."""
        del limit
        return self._rows.take(tenant, self._limit, rows)

    def give_back(self, tenant: UUID, rows: int) -> None:
        """What was not kept after all."""
        self._rows.give_back(tenant, rows)


class Taking:
    """Takes the pieces of one upload during one run."""

    def __init__(self, tenant: TenantContext, work: Work, find: Find, look: Look, rows: Rows) -> None:
        self._tenant = tenant
        self._work = work
        self._known = Remembered(find, look)
        self._rows = rows

    def delimiter(self) -> str:
        """What stands between the columns, where the sensor's mapping says. Errors: Unreadable."""
        sensor = self._work.wanted.sensor
        if sensor is None:
            return ""
        known = self._known.look(self._tenant, {sensor}).get(sensor)
        if known is None:
            raise Unreadable("No active sensor has the id or serial that the upload names.")
        return known.profile.setup.csv.delimiter if known.profile.setup.csv else ""

    def take(self, piece: Piece, mark: Mark) -> tuple[Tally, list[Message]]:
        """What becomes of a piece that begins at the mark. Errors: Unreadable, OnHold."""
        gathered = Gathered()
        kind = self._work.wanted.kind
        queues = {name: PieceQueue(gathered, name, mark.row) for name in ("counts", "transactions")}
        batch = batch_of(self._work.id, mark.piece)
        ingest = Ingest(
            self._known.find,
            self._known.look,
            queues["counts"],
            queues["transactions"],
            lambda: self._work.received_at,
            lambda: batch,
            rows=self._rows,
        )
        try:
            receipt = self._counts(ingest, piece) if kind == "counts" else self._transactions(ingest, piece)
        except RowsOfDayTaken as error:
            when = error.members["resets_at"]
            raise OnHold(f"The plan's rows of the day are taken; it goes on at {when}.") from error
        except (BadRequest, Invalid) as error:
            said = "; ".join(one.message for one in error.errors) or error.detail or error.title
            raise Unreadable(f"After row {mark.row}: {said}") from error
        tally = Tally(rows=piece.rows, parts=len(gathered.messages))
        if receipt is not None:
            tally.accepted, tally.duplicates = receipt.accepted, receipt.duplicates
            tally.rejected = len(receipt.refused)
        return tally, gathered.messages

    def _counts(self, ingest: Ingest, piece: Piece) -> Any:
        sensor = self._work.wanted.sensor
        if piece.texts:
            return ingest.take_counts(self._tenant, rules.read_rows(piece.texts, CountRow, MAX_COUNTS))
        if sensor is None:
            rows = rules.read_counts_csv(piece.table, is_first=piece.is_first)
            return ingest.take_counts(self._tenant, rows)
        vendors = Vendors(ingest, self._known.look)
        read = lambda columns: tables.read(piece.table, columns, is_first=piece.is_first)  # noqa: E731
        return vendors.take(self._tenant, read, sensor).receipt

    def _transactions(self, ingest: Ingest, piece: Piece) -> Any:
        if piece.texts:
            rows = rules.read_rows(piece.texts, TransactionRow, MAX_TRANSACTIONS)
        else:
            rows = rules.read_transactions_csv(piece.table, is_first=piece.is_first)
        return ingest.take_transactions(self._tenant, rows)
