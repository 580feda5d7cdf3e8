"""RUN on the command line of `debug` -> a Recording: the path of one, or a run in the engine's file."""

from __future__ import annotations

import pathlib

from inngest_gen.cli.refusal import Refusal
from inngest_gen.cli.selection import select
from inngest_gen.engine.store.reader import Reader
from inngest_gen.errors import RecordingError, RunNotFound
from inngest_gen.recording.format import loads
from inngest_gen.recording.recording import Recording


def find(run: str, db: pathlib.Path) -> Recording:
    """Give the recording that is meant. Raises Refusal, StoreError and RunNotFound."""
    path = pathlib.Path(run)
    if path.suffix == ".json" or path.is_file():
        return _read(path)
    reader = Reader(db)
    try:
        id = select(reader, run)
        recording = reader.recording(id)
    finally:
        reader.close()
    if recording is None:
        raise RunNotFound(id)
    return recording


def _read(path: pathlib.Path) -> Recording:
    try:
        return loads(path.read_bytes())
    except OSError as error:
        raise Refusal(f"{path} cannot be read: {error.strerror}") from None
    except RecordingError as error:
        raise Refusal(f"{path}: {error}") from None
