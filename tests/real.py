"""Where real data is, which is no part of the project: tests that need it are skipped where it is not."""

import os
from pathlib import Path

DATA = Path(os.environ.get("RMAP_DATA") or Path(__file__).parents[1].parent / "shared" / "data")
"""The folder that RMAP_DATA names, or the one beside the project's."""
MISSING = "RMAP_DATA names no folder, and there is none at ../shared/data, with "
