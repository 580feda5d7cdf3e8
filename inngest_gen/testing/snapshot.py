"""Snapshot: the tables of a memory engine as they were at a moment, to make recordings of when somebody wants one.

Copying them takes 20 us; a recording takes 200, and most tests want none.
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
from inngest_gen.recording.recording import Recording


class Snapshot:
    """The tables as bytes, and the functions by slug."""

    __slots__ = ("_functions", "_tables")

    def __init__(self, tables: bytes, functions: Mapping[str, Function]) -> None:
        self._tables = tables
        self._functions = functions

    def recording(self, run_id: str) -> Recording:
        """Make the recording of a run, with the fingerprints of its function's code."""
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
            connection.deserialize(self._tables)
            recording = Reader.over(connection).recording(run_id)
        assert recording is not None
        function = self._functions.get(recording.function)
        recording = replace(recording, made_by="inngest_gen's test kit", code=None)
        if function is None:
            return recording
        codes = code_of(function)
        code = orjson.loads(codes) if codes else None
        return replace(recording, app=function.app.id, max_attempts=function.options.retries + 1, code=code)
