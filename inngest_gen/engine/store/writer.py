"""The one thread that writes: it takes all changes that wait, makes them in one transaction, and tells the loop once when they are durable.

Promises: changes are made in the order they were submitted; a change's result is delivered only after its commit; a failing change takes no
other with it. A `patient` change (the result of something that has happened) is tried again while the disk is full or the file locked.
"""

from __future__ import annotations

import logging
import pathlib
import queue
import sqlite3
import threading
from collections.abc import Callable
from typing import Any

from inngest_gen.engine.store.database import is_transient, store_error
from inngest_gen.engine.store.tables import Tables
from inngest_gen.loops import Wake

_BATCH = 512
_PATIENCE_S = (0.1, 0.2, 0.5, 1, 2, 5)

Change = Callable[[Tables], Any]


class Job:
    """A change and what came of it. `done` is called in the loop after the commit (or the failure), with this job."""

    __slots__ = ("change", "done", "error", "patient", "result")

    def __init__(self, change: Change, done: Callable[[Job], None], *, patient: bool) -> None:
        self.change: Change = change
        self.done: Callable[[Job], None] = done
        self.patient: bool = patient
        self.result: Any = None
        self.error: Exception | None = None


class Writer:
    """Owns the writing connection and its thread. `wake` runs a callback in the loop; without a loop, results are delivered in the thread."""

    def __init__(self, connection: sqlite3.Connection, path: pathlib.Path, wake: Wake, log: logging.Logger) -> None:
        self._connection = connection
        self._path = path
        self._wake = wake
        self._log = log
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="inngest_gen writer", daemon=True)
        self.commits: int = 0
        """How many transactions have been committed."""
        self._thread.start()

    def submit(self, change: Change, done: Callable[[Job], None], *, patient: bool = True) -> Job:
        """Queue a change. Thread-safe."""
        job = Job(change, done, patient=patient)
        self._queue.put(job)
        return job

    def close(self) -> None:
        """Finish what is queued and close the file. Blocks until that is done."""
        self._stopping.set()
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        tables = Tables(self._connection)
        open_ = True
        while open_:
            job = self._queue.get()
            batch: list[Job] = []
            while True:
                if job is None:
                    open_ = False
                    break
                batch.append(job)
                if len(batch) >= _BATCH:
                    break
                try:
                    job = self._queue.get_nowait()
                except queue.Empty:
                    break
            if batch:
                self._commit(tables, batch)
                self._deliver(batch)
        try:
            self._connection.execute("PRAGMA optimize")
        except sqlite3.Error as error:
            self._log.warning("%s", store_error(error, self._path))
        self._connection.close()

    def _deliver(self, batch: list[Job]) -> None:
        def deliver() -> None:
            for job in batch:
                job.done(job)

        try:
            self._wake(deliver)
        except RuntimeError:  # the loop is over; what is committed is committed
            pass

    def _commit(self, tables: Tables, batch: list[Job]) -> None:
        try:
            self._transact(tables, batch)
        except Exception:  # noqa: BLE001 - one of them failed: find out which, each in a transaction of its own
            for job in batch:
                self._commit_alone(tables, job)

    def _transact(self, tables: Tables, batch: list[Job]) -> None:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            for job in batch:
                job.result = job.change(tables)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self.commits += 1

    def _commit_alone(self, tables: Tables, job: Job) -> None:
        tries = 0
        while True:
            try:
                self._transact(tables, [job])
            except sqlite3.Error as error:
                plain = store_error(error, self._path)
                if not job.patient or not is_transient(error) or self._stopping.is_set():
                    job.error = plain
                    job.error.__cause__ = error
                    self._log.error("%s", plain)
                    return
                if tries in {0, 3} or tries % 12 == 0:
                    self._log.error("%s (trying again until it passes)", plain)
                self._stopping.wait(_PATIENCE_S[min(tries, len(_PATIENCE_S) - 1)])
                tries += 1
            except Exception as error:  # noqa: BLE001 - handed to whoever submitted it
                job.error = error
                return
            else:
                return
