"""What the disk can do: single-row commits to SQLite's write-ahead log with synchronous=FULL, one after the other.

The rate that durable execution of sequential steps cannot beat, as each step needs its own commit before the next may begin.
"""

from __future__ import annotations

import pathlib
import sqlite3
import time

_ROW = b"x" * 100
_WARM = 1500
"""More than `wal_autocheckpoint` (1,000 pages): from then on the log is written over, and no commit makes its file longer."""


class Disk:
    """A one-table database beside the engine's, which lives as long as the engine's: so both logs are in the same state."""

    def __init__(self, path: pathlib.Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("CREATE TABLE rows (number INTEGER PRIMARY KEY, data BLOB)")

    def warm_up(self, commits: int = _WARM) -> None:
        """Let the log reach the size that it keeps."""
        self.commits(commits)

    def commits(self, count: int) -> float:
        """Commit `count` rows of about 100 bytes; gives the seconds it took."""
        execute = self._connection.execute
        started = time.perf_counter()
        for _ in range(count):
            execute("BEGIN IMMEDIATE")
            execute("INSERT INTO rows (data) VALUES (?)", (_ROW,))
            execute("COMMIT")
        return time.perf_counter() - started

    def close(self) -> None:
        """Close the database."""
        self._connection.close()
