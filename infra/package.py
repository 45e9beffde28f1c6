"""Packs a built folder into the zip that Lambda is given: the same folder, the same bytes."""

from __future__ import annotations

import os
import time
import zipfile
from pathlib import Path
from typing import Final

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_READABLE: Final = 0o100644 << 16
_KEPT_S: Final = 7 * 24 * 3600


def pack(folder: Path, package: Path) -> None:
    """Write a folder's files into a zip, in a fixed order, without times; a half-written zip has another name."""
    package.parent.mkdir(parents=True, exist_ok=True)
    fresh = package.with_suffix(".new")
    with zipfile.ZipFile(fresh, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(file.relative_to(folder).as_posix(), _EPOCH)
            entry.external_attr = _READABLE
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, file.read_bytes())
    fresh.replace(package)


def drop_old(folder: Path, wanted: set[Path]) -> None:
    """Remove packages that nothing wanted for a week; younger ones may be named by a synthesis still in use."""
    for package in folder.glob("*.zip"):
        if package in wanted:
            os.utime(package)
        elif time.time() - package.stat().st_mtime > _KEPT_S:
            package.unlink()
