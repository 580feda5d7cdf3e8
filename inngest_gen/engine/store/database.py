"""Opens the engine's file: one engine at a time, readers beside it, older schemas brought up to date, errors in plain words."""

from __future__ import annotations

import os
import pathlib
import sqlite3
from types import TracebackType
from typing import Literal

from filelock import FileLock, Timeout

from inngest_gen.engine.store.schema import APPLICATION_ID, MIGRATIONS, VERSION
from inngest_gen.errors import EngineLocked, StoreError

Durability = Literal["power", "process"]

BUSY_MS = 5000
"""How long SQLite waits for a file that another connection has locked, in milliseconds."""

_TRANSIENT = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}


def lock(path: pathlib.Path) -> FileLock:
    """Take the file for this process; the kernel gives it back when the process ends, however it ends. Raises EngineLocked, StoreError."""
    if not path.absolute().parent.is_dir():
        raise StoreError(f"{path}: the directory {path.absolute().parent} does not exist: make it first, or name another file")
    held = FileLock(f"{path}.lock", thread_local=False)
    try:
        held.acquire(timeout=0)
    except Timeout:
        raise EngineLocked(str(path), _holder(path)) from None
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror or error}: the engine needs a directory in which it may create files") from error
    return held


def connect(path: pathlib.Path, *, durability: Durability = "power") -> sqlite3.Connection:
    """Open the file for writing, creating or migrating it. The caller holds its lock. Raises StoreError."""
    try:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
    except sqlite3.Error as error:
        raise store_error(error, path) from error
    try:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        if not _is_empty(connection):
            _check(connection, path)  # before anything is changed: it may be another program's
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if durability == 'power' else 'NORMAL'}")
        connection.execute("PRAGMA temp_store = MEMORY")
        _migrate(connection, path)
        _grow_wal(connection)
        connection.execute("PRAGMA cache_size = -8192")
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('holder', ?)", (f"process {os.getpid()}",))
    except sqlite3.Error as error:
        connection.close()
        raise store_error(error, path) from error
    except BaseException:
        connection.close()
        raise
    return connection


def connect_to_read(path: pathlib.Path) -> sqlite3.Connection:
    """Open the file to read it beside a running engine. Raises StoreError if there is none, or it is no engine's file."""
    if not path.exists():
        raise StoreError(f"{path} does not exist: name the engine's file with --db, or run something first")
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise store_error(error, path) from error
    try:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        _check(connection, path)
    except sqlite3.Error as error:
        connection.close()
        raise store_error(error, path) from error
    except BaseException:
        connection.close()
        raise
    return connection


def ask(path: pathlib.Path, kind: str, argument: bytes, now: float) -> int:
    """Leave a command for the engine that has the file, or for the next one; gives its number. Raises StoreError."""
    connect_to_read(path).close()
    try:
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
            cursor = connection.execute("INSERT INTO commands (kind, argument, asked) VALUES (?, ?, ?)", (kind, argument, now))
            return cursor.lastrowid or 0
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise store_error(error, path) from error


class in_plain_words:  # noqa: N801 - a context manager, as a function would be
    """Turns SQLite's errors into StoreError. A class, as a generator takes three times as long."""

    __slots__ = ("_path",)

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, cls: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if isinstance(error, sqlite3.Error):
            raise store_error(error, self._path) from error


def store_error(error: sqlite3.Error, path: pathlib.Path) -> StoreError:
    """Say in plain words what SQLite's error means and what to do."""
    text = str(error)
    if "full" in text:
        hint = "the disk is full: free some room; nothing that was acknowledged is lost"
    elif "locked" in text or "busy" in text:
        hint = "another program holds the file locked: close it (a database browser with an open transaction, a backup)"
    elif "malformed" in text or "corrupt" in text:
        hint = "the file is damaged: restore a backup, or salvage it with `sqlite3 FILE .recover`"
    elif "not a database" in text:
        hint = "this is no SQLite file: name another one"
    elif "unable to open" in text:
        hint = "the directory must exist and be writable"
    elif "readonly" in text:
        hint = "the file or its directory is read-only"
    elif "I/O" in text:
        hint = "the disk reports an error: check it, and the room left on it"
    else:
        hint = "SQLite reports it"
    return StoreError(f"{path}: {text}; {hint}")


def is_transient(error: sqlite3.Error) -> bool:
    """Say whether it may pass by itself: a full disk, a lock, an I/O error."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _TRANSIENT  # the low byte: the rest says more of the same


def _check(connection: sqlite3.Connection, path: pathlib.Path) -> int:
    application: int = connection.execute("PRAGMA application_id").fetchone()[0]
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if application != APPLICATION_ID:
        raise StoreError(f"{path} is an SQLite file, but no engine's: name another one")
    if version > VERSION:
        raise StoreError(
            f"{path} was written by a newer version of inngest_gen (schema {version}, this one knows {VERSION}): upgrade inngest_gen"
        )
    return version


def _is_empty(connection: sqlite3.Connection) -> bool:
    empty: bool = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0
    return empty


def _migrate(connection: sqlite3.Connection, path: pathlib.Path) -> None:
    version = 0 if _is_empty(connection) else _check(connection, path)
    for number in range(version, VERSION):
        # One transaction a migration: a crash leaves the file at a whole version.
        connection.executescript(
            f"BEGIN IMMEDIATE;\n{MIGRATIONS[number]}\nPRAGMA application_id = {APPLICATION_ID};\nPRAGMA user_version = {number + 1};\nCOMMIT;"
        )


def _grow_wal(connection: sqlite3.Connection) -> None:
    """Let the write-ahead log have its full size from the start: a commit that makes the file longer costs twice one that does not.

    A transaction larger than the cache spills into the log; rolled back, it leaves the log long and the database as it was. SQLite starts the
    log over after 1,000 pages (`wal_autocheckpoint`), so this is all it ever needs. 6 ms once, for 300 against 160 us a commit.
    """
    connection.execute("PRAGMA cache_size = 8")
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute("CREATE TABLE grown (filler BLOB)")
        connection.execute("INSERT INTO grown VALUES (zeroblob(4100000))")
    finally:
        if connection.in_transaction:  # a full disk has rolled it back already
            connection.execute("ROLLBACK")


def _holder(path: pathlib.Path) -> str | None:
    try:
        connection = connect_to_read(path)
    except StoreError:
        return None
    try:
        row = connection.execute("SELECT value FROM meta WHERE key = 'holder'").fetchone()
        return None if row is None else str(row[0])
    except sqlite3.Error:
        return None
    finally:
        connection.close()
