"""The tables of the engine's file, and the migrations that bring an older file up to date.

`PRAGMA user_version` holds the schema's version, `application_id` marks the file as ours. A release never changes a migration that was released;
it adds one. The log is append-only and keyed by its own sequence: rows keyed by (run, position) cost four times as much to write.
"""

from __future__ import annotations

APPLICATION_ID = 0x494E4747  # "INGG"

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;

    CREATE TABLE events (
        seq INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL,
        data BLOB NOT NULL,         -- JSON
        ts INTEGER NOT NULL,        -- epoch milliseconds
        meta BLOB,                  -- JSON
        received REAL NOT NULL,     -- epoch seconds
        origin INTEGER              -- the event that all this began with; NULL: itself
    );

    CREATE TABLE runs (
        run INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,    -- ULID
        function TEXT NOT NULL,     -- slug
        event INTEGER NOT NULL REFERENCES events,
        kind TEXT NOT NULL,         -- event, invoke, defer, failure
        origin INTEGER NOT NULL REFERENCES events,
        parent INTEGER REFERENCES runs,
        parent_hash TEXT,           -- of the parent's invoke step, or of its defer
        status TEXT NOT NULL,
        attempt INTEGER NOT NULL DEFAULT 0,
        suspended INTEGER NOT NULL DEFAULT 0,   -- 1: nothing to do until one of its pauses ends
        codes TEXT,                 -- fingerprints of the code that made the record; '': of more than one code
        created REAL NOT NULL,
        started REAL,
        ended REAL,
        output BLOB,
        error BLOB
    );
    CREATE UNIQUE INDEX runs_once ON runs (event, function);
    CREATE INDEX runs_open ON runs (run) WHERE ended IS NULL;
    CREATE INDEX runs_origin ON runs (origin);
    CREATE INDEX runs_parent ON runs (parent) WHERE parent IS NOT NULL;

    CREATE TABLE log (
        seq INTEGER PRIMARY KEY,
        run INTEGER NOT NULL,
        at REAL NOT NULL,
        kind TEXT NOT NULL,         -- plan, attempt, result, error, handler, defer, abort, rejected, dropped, note, cancel, retry
        hash TEXT,
        position INTEGER,
        info BLOB,                  -- JSON: what the entry says besides
        data BLOB                   -- JSON: the result, or the error
    );
    CREATE INDEX log_run ON log (run);

    CREATE TABLE pauses (           -- what an unfinished step waits for
        run INTEGER NOT NULL,
        hash TEXT NOT NULL,         -- '' is the handler's own next attempt
        kind TEXT NOT NULL,         -- sleep, retry, event, signal, invoke
        due REAL,
        event TEXT,
        path TEXT,
        value TEXT,
        signal TEXT,
        info BLOB,
        PRIMARY KEY (run, hash)
    ) WITHOUT ROWID;
    CREATE INDEX pauses_due ON pauses (due) WHERE due IS NOT NULL;
    CREATE INDEX pauses_event ON pauses (event, path, value) WHERE event IS NOT NULL;
    CREATE UNIQUE INDEX pauses_signal ON pauses (signal) WHERE signal IS NOT NULL;

    CREATE TABLE defers (
        run INTEGER NOT NULL,
        hash TEXT NOT NULL,
        number INTEGER NOT NULL,    -- in call order
        id TEXT NOT NULL,
        name TEXT NOT NULL,
        function TEXT,
        data BLOB,
        meta BLOB,
        experiment BLOB,
        status TEXT NOT NULL,       -- after_run, aborted, rejected, dropped, scheduled
        reason TEXT,
        child TEXT,                 -- id of the deferred run
        PRIMARY KEY (run, hash)
    ) WITHOUT ROWID;

    CREATE TABLE commands (         -- what other processes ask of the engine
        seq INTEGER PRIMARY KEY,
        kind TEXT NOT NULL,         -- cancel, retry, send
        argument BLOB NOT NULL,
        asked REAL NOT NULL
    );
    """,
)

VERSION = len(MIGRATIONS)
