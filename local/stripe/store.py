"""Where the stand-in keeps its objects: one SQLite file, one connection, one lock."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Obj = dict[str, Any]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL,
    owner TEXT, due REAL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS objects_by_kind ON objects (kind, owner, seq);
CREATE INDEX IF NOT EXISTS objects_by_due ON objects (due) WHERE due IS NOT NULL;
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL,
    request_id TEXT NOT NULL, created REAL NOT NULL);
CREATE TABLE IF NOT EXISTS deliveries (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL, endpoint TEXT NOT NULL, created REAL NOT NULL,
    due REAL NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL DEFAULT 'pending', outcome TEXT);
CREATE INDEX IF NOT EXISTS deliveries_pending ON deliveries (state, due);
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
TABLES = ("objects", "answers", "deliveries", "settings")


class Store:
    """Objects by id and kind, newest first; everything between `transaction()` commits or rolls back as one."""

    def __init__(self, path: Path | str) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold the lock and a transaction; nested use joins the outer one."""
        with self._lock:
            if self._depth == 0:
                self._db.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                if self._depth == 1:
                    self._db.execute("ROLLBACK")
                raise
            else:
                if self._depth == 1:
                    self._db.execute("COMMIT")
            finally:
                self._depth -= 1

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with self._lock:
            return self._db.execute(query, values).fetchall()

    def put(self, obj: Obj, *, kind: str, owner: str | None = None, due: float | None = None) -> None:
        """Insert or replace an object; an object keeps its place in lists."""
        with self.transaction():
            self._db.execute(
                "INSERT INTO objects (id, kind, owner, due, body) VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT (id) DO UPDATE SET owner = excluded.owner, due = excluded.due, body = excluded.body",
                (obj["id"], kind, owner, due, json.dumps(obj)),
            )

    def find(self, identifier: str, kind: str | None = None) -> Obj | None:
        """The object of this id, of any kind unless one is named."""
        found = self.rows("SELECT kind, body FROM objects WHERE id = ?", identifier)
        if not found or (kind is not None and found[0][0] != kind):
            return None
        return _load(found[0][1])

    def delete(self, identifier: str) -> None:
        """Forget an object."""
        self.rows("DELETE FROM objects WHERE id = ?", identifier)

    def all(self, kind: str, owner: str | None = None) -> list[Obj]:
        """Objects of a kind (and owner), newest first."""
        if owner is None:
            found = self.rows("SELECT body FROM objects WHERE kind = ? ORDER BY seq DESC", kind)
        else:
            found = self.rows("SELECT body FROM objects WHERE kind = ? AND owner = ? ORDER BY seq DESC", kind, owner)
        return [_load(row[0]) for row in found]

    def earliest_due(self, until: float) -> tuple[str, float, Obj] | None:
        """The kind, time and body of the object whose time comes first, if it comes by `until`."""
        found = self.rows("SELECT kind, due, body FROM objects WHERE due <= ? ORDER BY due, seq LIMIT 1", until)
        return (found[0][0], found[0][1], _load(found[0][2])) if found else None

    def setting(self, name: str, default: Any) -> Any:
        """A stored setting or its default."""
        found = self.rows("SELECT value FROM settings WHERE name = ?", name)
        return json.loads(found[0][0]) if found else default

    def set(self, name: str, value: object) -> None:
        """Store a setting (JSON)."""
        self.rows(
            "INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            name,
            json.dumps(value),
        )

    def clear(self) -> None:
        """Forget everything."""
        with self.transaction():
            for table in TABLES:
                self._db.execute(f"DELETE FROM {table}")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()


def _load(text: str) -> Obj:
    loaded: Obj = json.loads(text)
    return loaded
