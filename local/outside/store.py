"""What the two strangers know, in one file that is replaced as a whole."""

import hashlib
import json
import os
import threading
from pathlib import Path
from typing import Any

COMMON = ("password1234", "123456789012", "qwertyuiop12", "iloveyou1234", "administrator")
"""On the list from the start."""


class Store:
    """Text records by name, breached passwords by digest, and how each stranger is to misbehave."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._kept: dict[str, dict[str, Any]] = {"texts": {}, "breached": {}, "misbehave": {}, "pages": {}}
        if file.exists():
            self._kept |= json.loads(file.read_text())
        for password in COMMON:
            self._kept["breached"].setdefault(digest(password), 1_000)

    def put(self, what: str, name: str, value: Any) -> None:
        """Keep a value; None forgets it."""
        with self._lock:
            if value is None:
                self._kept[what].pop(name, None)
            else:
                self._kept[what][name] = value
            fresh = self._file.with_suffix(".new")
            fresh.write_text(json.dumps(self._kept))
            os.replace(fresh, self._file)  # noqa: PTH105  atomic, and it says so

    def texts(self, name: str) -> list[str] | None:
        """The text records of a name; None where there is no such name."""
        with self._lock:
            found: list[str] | None = self._kept["texts"].get(name.rstrip(".").lower())
            return found

    def page(self, place: str) -> str | None:
        """What stands at an address; None where nothing does."""
        with self._lock:
            found: str | None = self._kept["pages"].get(place)
            return found

    def range(self, prefix: str) -> dict[str, int]:
        """The rest of each listed digest that begins so, and how often it was seen."""
        with self._lock:
            return {one[5:]: count for one, count in self._kept["breached"].items() if one.startswith(prefix)}

    def misbehaviour(self, stranger: str) -> dict[str, Any]:
        """How the next answer is to go wrong; each time counts down."""
        with self._lock:
            wanted = self._kept["misbehave"].get(stranger)
            if not wanted or wanted.get("times", 1) <= 0:
                return {}
            wanted["times"] = wanted.get("times", 1) - 1
            return dict(wanted)


def digest(password: str) -> str:
    """SHA-1 in capitals, as the list writes it."""
    return hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()
