"""Snapshot: the tables of a memory engine as they were at a moment, to make recordings of when somebody wants one.

Copying them takes some us; a recording takes some hundred, and most tests want none.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace

import orjson

from inngest_gen.app.codes import code_of
from inngest_gen.app.function import Function
from inngest_gen.engine.store.reader import Reader
from inngest_gen.engine.store.schema import MIGRATIONS
from inngest_gen.recording.recording import Recording
from inngest_gen.testing.tables import Rows


class Snapshot:
    """The rows of all tables, and the functions by slug."""

    __slots__ = ("_functions", "_rows")

    def __init__(self, rows: Rows, functions: Mapping[str, Function]) -> None:
        self._rows = rows
        self._functions = functions

    def recording(self, run_id: str) -> Recording:
        """Make the recording of a run, with the fingerprints of its function's code."""
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
            for migration in MIGRATIONS:
                connection.executescript(migration)
            self._rows.write(connection)
            recording = Reader.over(connection).recording(run_id)
        assert recording is not None
        function = self._functions.get(recording.function)
        recording = replace(recording, made_by="inngest_gen's test kit", code=None)
        if function is None:
            return recording
        codes = code_of(function)
        code = orjson.loads(codes) if codes else None
        return replace(recording, app=function.app.id, max_attempts=function.options.retries + 1, code=code)
