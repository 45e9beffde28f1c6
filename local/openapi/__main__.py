"""`python -m local.openapi`: write docs/api/openapi.json; with `--check`, only tell whether it is current."""

import argparse
import sys
from pathlib import Path

from local.openapi.document import describe, written

PLACE = Path(__file__).resolve().parents[2] / "docs" / "api" / "openapi.json"


def main() -> int:
    """Write or check; 1 when the check finds the file out of date."""
    parser = argparse.ArgumentParser(prog="python -m local.openapi", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args()
    text = written(describe())
    current = PLACE.is_file() and PLACE.read_text() == text
    if options.check:
        print("docs/api/openapi.json is current" if current else "docs/api/openapi.json is out of date")
        return 0 if current else 1
    if not current:
        PLACE.parent.mkdir(parents=True, exist_ok=True)
        PLACE.write_text(text)
    print("docs/api/openapi.json", "was current" if current else "written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
