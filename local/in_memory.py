"""Room in memory for the PostgreSQL of tests, which makes and drops a database of 600 files for each of them.

On some filesystems a new file takes a millisecond once many were deleted (ext4 without a journal passes over every
inode freed in the last minute), and a database takes a second where memory takes 0.03.
"""

import contextlib
import os
import shutil
from hashlib import sha256
from pathlib import Path

import psutil

MEMORY = Path("/dev/shm")  # noqa: S108 - folders there are ours alone, and named for their instance
ROOM = 6 << 30  # a run of all tests takes 0.4 GB; the rest is for whoever else is on the machine


def place(wanted: Path, memory: Path = MEMORY, room: int = ROOM) -> None:
    """Let a folder that is to be made be in memory, where there is that and plenty of it; it is a link then.

    What is there stays where it is. What a reboot took away is placed anew, and what instances that are gone left in
    memory is cleared away.

    Args:
        wanted: The folder's path.
        memory: A filesystem in memory, or a path that is none.
        room: Bytes that have to be free, of the machine's memory as well.
    """
    _clear(memory)
    if wanted.exists():
        return
    wanted.unlink(missing_ok=True)
    if not _has_room(memory, room):
        return
    place = memory / f"rmap-{sha256(os.fsencode(wanted)).hexdigest()[:16]}"
    # The link comes first: a folder whose instance has none is one to clear away.
    wanted.symlink_to(place / wanted.name)
    place.mkdir(mode=0o711, exist_ok=True)
    if place.lstat().st_uid != os.geteuid():  # anybody may make a folder there first
        wanted.unlink()
        return
    (place / "of").write_text(str(wanted))


def _has_room(memory: Path, room: int) -> bool:
    with contextlib.suppress(OSError):
        return (
            any(part.mountpoint == str(memory) and part.fstype == "tmpfs" for part in psutil.disk_partitions(all=True))
            and min(shutil.disk_usage(memory).free, psutil.virtual_memory().available) >= room
        )
    return False


def _clear(memory: Path) -> None:
    for place in memory.glob("rmap-*"):
        with contextlib.suppress(OSError):
            wanted = Path((place / "of").read_text())
            ours = place.stat().st_uid == os.geteuid()
            if ours and not _leads_to(wanted, place) and not _served(place / wanted.name):
                shutil.rmtree(place)


def _leads_to(wanted: Path, place: Path) -> bool:
    return wanted.is_symlink() and wanted.readlink() == place / wanted.name


def _served(data: Path) -> bool:
    """Whether a PostgreSQL runs on it."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return bool(psutil.pid_exists(int((data / "postmaster.pid").read_text().split()[0])))
    return False
