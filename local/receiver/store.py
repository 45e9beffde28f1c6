"""What the receiver keeps: requests as they came, a secret and a behaviour per path. One SQLite file."""

import json
import sqlite3
import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS received (
    id INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT NOT NULL, method TEXT NOT NULL, received_at TEXT NOT NULL,
    headers TEXT NOT NULL, body BLOB NOT NULL, verified INTEGER, reason TEXT, answered INTEGER);
CREATE INDEX IF NOT EXISTS received_by_path ON received (path, id);
CREATE TABLE IF NOT EXISTS paths (path TEXT PRIMARY KEY, secrets TEXT NOT NULL, behaviour TEXT NOT NULL);
"""


@dataclass(frozen=True)
class Behaviour:
    """How a path answers: `status` after `delay` seconds; `times` limits it to the next so many (0 = always).

    `location` sets the header of that name (for redirects); `close` ends the connection without an answer;
    `body` is what the answer says, but to a challenge of the endpoint's owner: that is answered as it asks, unless
    `challenge` is false.
    """

    status: int = 200
    delay: float = 0.0
    location: str | None = None
    close: bool = False
    times: int = 0
    body: str = ""
    challenge: bool = True


@dataclass(frozen=True)
class PathSettings:
    """What is set for a path."""

    secrets: list[str] = field(default_factory=list)
    behaviour: Behaviour = field(default_factory=Behaviour)


@dataclass(frozen=True)
class Received:
    """One request as it came. `verified` is None when no secret is set for its path."""

    path: str
    method: str
    received_at: str
    headers: list[tuple[str, str]]
    body: bytes
    verified: bool | None
    reason: str
    answered: int | None = None


class Store:
    """Thread-safe: one connection behind one lock."""

    def __init__(self, path: Path | str) -> None:
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_SCHEMA)

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._db.execute(query, values).fetchall()

    def settings(self, path: str) -> PathSettings:
        """The secrets and behaviour of a path; defaults where nothing was set."""
        found = self._rows("SELECT secrets, behaviour FROM paths WHERE path = ?", path)
        return PathSettings(json.loads(found[0][0]), Behaviour(**json.loads(found[0][1]))) if found else PathSettings()

    def set(self, path: str, settings: PathSettings) -> None:
        """Set both for a path."""
        self._rows(
            "INSERT INTO paths (path, secrets, behaviour) VALUES (?, ?, ?) ON CONFLICT (path) "
            "DO UPDATE SET secrets = excluded.secrets, behaviour = excluded.behaviour",
            path,
            json.dumps(settings.secrets),
            json.dumps(asdict(settings.behaviour)),
        )

    def take_behaviour(self, path: str) -> Behaviour:
        """How to answer this request; a limited behaviour is used up by one and then forgotten."""
        with self._lock:
            found = self._db.execute("SELECT behaviour FROM paths WHERE path = ?", (path,)).fetchone()
            behaviour = Behaviour(**json.loads(found[0])) if found else Behaviour()
            if behaviour.times:
                left = behaviour.times - 1
                after = {**asdict(behaviour), "times": left} if left else asdict(Behaviour())
                self._db.execute("UPDATE paths SET behaviour = ? WHERE path = ?", (json.dumps(after), path))
            return behaviour

    def add(self, request: Received) -> int:
        """Keep a request; its number."""
        return int(
            self._rows(
                "INSERT INTO received (path, method, received_at, headers, body, verified, reason, answered) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
                request.path,
                request.method,
                request.received_at,
                json.dumps(request.headers),
                request.body,
                request.verified,
                request.reason,
                request.answered,
            )[0][0]
        )

    def requests(self, path: str | None, after: int, limit: int) -> list[tuple[int, Received]]:
        """Requests with numbers above `after`, oldest first; of one path unless None."""
        found = self._rows(
            "SELECT id, path, method, received_at, headers, body, verified, reason, answered FROM received "
            "WHERE (? IS NULL OR path = ?) AND id > ? ORDER BY id LIMIT ?",
            path,
            path,
            after,
            limit,
        )
        return [(row[0], _received(row[1:])) for row in found]

    def latest(self, limit: int) -> list[tuple[int, Received]]:
        """The last requests, newest first."""
        found = self._rows(
            "SELECT id, path, method, received_at, headers, body, verified, reason, answered FROM received "
            "ORDER BY id DESC LIMIT ?",
            limit,
        )
        return [(row[0], _received(row[1:])) for row in found]

    def count(self, path: str | None) -> int:
        """How many requests are kept."""
        return int(self._rows("SELECT count(*) FROM received WHERE ? IS NULL OR path = ?", path, path)[0][0])

    def clear(self, path: str | None) -> None:
        """Forget requests, secrets and behaviour, of one path or of all."""
        self._rows("DELETE FROM received WHERE ? IS NULL OR path = ?", path, path)
        self._rows("DELETE FROM paths WHERE ? IS NULL OR path = ?", path, path)


def _received(row: tuple[Any, ...]) -> Received:
    path, method, moment, headers, body, verified, reason, answered = row
    pairs = [(name, value) for name, value in json.loads(headers)]
    known = None if verified is None else bool(verified)
    return Received(path, method, moment, pairs, bytes(body), known, reason, answered)
