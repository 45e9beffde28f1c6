"""`python -m local.openapi`: write docs/api/; with `--check`, only tell whether it is current."""

import argparse
import sys
from pathlib import Path

from local.openapi import document, roles

PLACE = Path(__file__).resolve().parents[2] / "docs" / "api"


def main() -> int:
    """Write or check; 1 when the check finds a file out of date."""
    parser = argparse.ArgumentParser(prog="python -m local.openapi", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args()
    stale = False
    for name, text in (("openapi.json", document.written(document.describe())), ("roles.md", roles.written())):
        file = PLACE / name
        current = file.is_file() and file.read_text() == text
        if options.check:
            print(f"docs/api/{name} is {'current' if current else 'out of date'}")
            stale |= not current
            continue
        if not current:
            PLACE.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        print(f"docs/api/{name}", "was current" if current else "written")
    return int(stale)


if __name__ == "__main__":
    sys.exit(main())
