"""`python -m local.catalogue`: publish the schemas of events, by adding what is new to the copy that tests go by.

Receivers were written for what is published: it is added to and otherwise stays. A change that would break them is
refused here as in the tests; it is made as a new version of its type.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from local.instance import ROOT
from shared.events.model import EventType
from shared.events.rules.catalogue import CATALOGUE
from shared.events.rules.schemas import data_schema

PUBLISHED = ROOT / "tests" / "shared" / "events" / "published.json"
Published = dict[str, dict[str, dict[str, Any]]]
"""Schemas of data by type and version."""
_WORDS = frozenset({"$id", "title", "description"})


def published() -> Published:
    """What was published."""
    known: Published = json.loads(PUBLISHED.read_text()) if PUBLISHED.exists() else {}
    return known


def breaks(known: Published, catalogue: tuple[EventType, ...] = CATALOGUE) -> list[str]:
    """What in the catalogue would break receivers that were written for what is published, in sentences."""
    present = {kind.name: kind for kind in catalogue}
    found: list[str] = []
    for name, versions in known.items():
        latest = max(int(version) for version in versions)
        if name not in present:
            found.append(f"{name} is published and gone.")
        elif present[name].version < latest:
            found.append(f"{name} went back from version {latest} to {present[name].version}.")
        elif present[name].version == latest:
            found += [f"{name}: {one}" for one in _broken(versions[str(latest)], data_schema(present[name]))]
    return found


def _broken(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for field, shape in old["properties"].items():
        if field not in new["properties"]:
            yield f"{field} is gone."
        elif shape != new["properties"][field]:
            yield f"{field} was {shape} and is {new['properties'][field]}."
    for field in sorted(set(old["required"]) - set(new["required"])):
        yield f"{field} was always there and is optional."
    others = {name for name in {*old, *new} - _WORDS - {"properties", "required"} if old.get(name) != new.get(name)}
    if others:
        yield f"{', '.join(sorted(others))} changed."


def unpublished(known: Published, catalogue: tuple[EventType, ...] = CATALOGUE) -> list[str]:
    """The types with something that is not published yet."""
    return [kind.name for kind in catalogue if known.get(kind.name, {}).get(str(kind.version)) != data_schema(kind)]


def main() -> int:
    """Add what is new."""
    known = published()
    if found := breaks(known):
        print("\n".join(found), file=sys.stderr)
        print("Give the type a new version instead.", file=sys.stderr)
        return 1
    for kind in CATALOGUE:
        known.setdefault(kind.name, {})[str(kind.version)] = data_schema(kind)
    PUBLISHED.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
