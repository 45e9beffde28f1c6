"""Files read: how many rows a second, and the most memory that it takes, whatever the file's size."""

import gzip
import multiprocessing
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from bench.harness.cpu import peak_mb
from bench.harness.report import Column, Goal, Result
from bench.harness.rounds import Contestant, Figures, Row, compete
from shared.sites.model import Known, Profile
from shared.uploads.model import Mark, UploadId, Wanted, Work
from shared.uploads.rules.cutting import pieces
from shared.uploads.rules.unpacking import unpacked
from shared.uploads.service.taking import Taking
from tenant_context.clock import uuid7
from tenant_context.context import from_message

_COLUMNS = (Column("rows_s", "rows /s and core"), Column("memory_mb", "peak MB"), Column("mb", "file, MB"))
_MB = 1_000_000
_BLOCK = 1024 * 1024
_NOW = datetime(2026, 11, 1, tzinfo=UTC)
_FIRST = datetime(2020, 1, 1, tzinfo=UTC)
_HEAD = b"sensor,start,end,entries,exits\n"
_FLAT = 1.1
_BOUND_MB = 128


class _Rows:
    """A day without an end."""

    def take(self, tenant: UUID, limit: int | None, rows: int) -> dict[str, str]:
        """Let them through."""
        del tenant, limit, rows
        return {}

    def give_back(self, tenant: UUID, rows: int) -> None:
        """Nothing was taken."""


def _lines(size: int) -> Iterator[bytes]:
    """A CSV of about so many bytes, in blocks; each line is a minute of one of a hundred doors."""
    yield _HEAD
    made, step, block = 0, 0, bytearray()
    while made < size:
        start = _FIRST + timedelta(minutes=step // 100)
        end = start + timedelta(minutes=1)
        block += f"door-{step % 100:02},{start:%Y-%m-%dT%H:%M:%SZ},{end:%Y-%m-%dT%H:%M:%SZ},3,2\n".encode()
        step += 1
        if len(block) >= _BLOCK:
            made += len(block)
            yield bytes(block)
            block.clear()
    yield bytes(block)


def _packed(size: int) -> Iterator[bytes]:
    """The same, packed: a member of gzip for each block, as parallel packers make them."""
    return (gzip.compress(block, 1) for block in _lines(size))


def read(size: int, *, packed: bool, answer: "multiprocessing.SimpleQueue[Figures]") -> None:
    """Cut, check and encode a file of so many bytes; what that took."""
    known = {f"door-{number:02}": Known(uuid4(), Profile("UTC", 1)) for number in range(100)}
    wanted = Wanted("counts", "csv", size)
    work = Work(UploadId(uuid7()), wanted, "", _NOW, 1)
    taking = Taking(from_message(uuid7(), "bench"), work, lambda *_: {}, lambda *_: known, _Rows())
    mark, rows, used = Mark(), 0, 0.0
    blocks = unpacked(_packed(size), 0) if packed else _lines(size)
    began = time.process_time()
    for piece in pieces(wanted, mark, _timed(blocks, waited := [0.0])):
        tally, messages = taking.take(piece, mark)
        if tally.accepted != piece.rows:
            raise AssertionError("a row was refused")
        used += sum(len(message.encode()) for message in messages)
        rows += piece.rows
        mark = Mark(piece.offset, mark.piece + 1, rows, mark.head)
    spent = time.process_time() - began - waited[0]
    peak = peak_mb()
    answer.put({"rows_s": rows / spent, "memory_mb": peak, "mb": size / _MB})


def _timed(blocks: Iterator[bytes], waited: list[float]) -> Iterator[bytes]:
    """The blocks; the time that it took to make them is none of the reader's."""
    while True:
        began = time.process_time()
        block = next(blocks, None)
        waited[0] += time.process_time() - began
        if block is None:
            return
        yield block


def _turn(size: int, *, packed: bool) -> Callable[[], Figures]:
    """In a process of its own, whose memory is its own."""

    def turn() -> Figures:
        context = multiprocessing.get_context("spawn")
        answer = context.SimpleQueue()
        process = context.Process(target=read, args=(size,), kwargs={"packed": packed, "answer": answer})
        process.start()
        process.join()
        if process.exitcode:
            raise RuntimeError("the reader failed")
        found: Figures = answer.get()
        return found

    return turn


def run(*, quick: bool, tell: Callable[[str], None]) -> Result:
    """Measure."""
    rounds, small, large = (1, 10, 60) if quick else (1, 10, 1000)
    rows = compete(
        [
            Contestant("small", "a plain CSV", _turn(small * _MB, packed=False)),
            Contestant("large", "a plain CSV", _turn(large * _MB, packed=False)),
            Contestant("large, packed", "unpacked on the way", _turn(large * _MB, packed=True)),
        ],
        rounds,
        {},
        tell,
    )
    return Result("bulk", __doc__ or "", rounds, _COLUMNS, rows, _goals(rows), _NOTES)


def _goals(rows: list[Row]) -> list[Goal]:
    found = {row.name: row.median("memory_mb") for row in rows}
    ratio = max(found["large"], found["large, packed"]) / found["small"]
    most = max(found.values())
    return [
        Goal(
            f"a large file takes no more memory than a small one (ratio up to {_FLAT})", f"{ratio:.2f}", ratio <= _FLAT
        ),
        Goal(f"which is less than {_BOUND_MB} MB", f"{most:.0f} MB", most <= _BOUND_MB),
    ]


_NOTES = (
    "Cut, checked by the door itself and encoded as messages; neither sent nor noted.",
    "Nor is it fetched: from S3 it would come in ranges of 8 MB, of which there are two while one is read.",
    "The interpreter with what the benchmark imports is about half of the memory.",
)
