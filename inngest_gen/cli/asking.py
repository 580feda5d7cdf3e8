"""Asking: leaves a command in the file for the engine that has it, and waits for it to be carried out.

Promises: says whether an engine is running; what none carries out now is carried out when one next starts.
"""

from __future__ import annotations

import pathlib
import threading
from collections.abc import Callable
from typing import Final

import orjson

from inngest_gen.clock import SystemClock
from inngest_gen.engine.store import database
from inngest_gen.errors import EngineLocked

_PATIENCE_S: Final = 5.0
_LOOK_EVERY_S: Final = 0.05


def ask(db: pathlib.Path, kind: str, argument: object) -> None:
    """Leave a command. Raises StoreError."""
    database.ask(db, kind, orjson.dumps(argument), SystemClock().now())


def engine_runs(db: pathlib.Path) -> bool:
    """Say whether an engine has the file, by trying its lock."""
    try:
        database.lock(db).release()
    except EngineLocked:
        return True
    return False


def wait_until(done: Callable[[], bool], patience_s: float = _PATIENCE_S) -> bool:
    """Look again and again whether something is done; gives up after `patience_s` seconds."""
    clock = SystemClock()
    deadline = clock.now() + patience_s
    pause = threading.Event()
    while not done():
        if clock.now() >= deadline:
            return False
        pause.wait(_LOOK_EVERY_S)
    return True
