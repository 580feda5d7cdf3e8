"""The one thread that writes: it takes all changes that wait, makes them in one transaction, and tells the loop once when they are durable.

Promises: changes are delivered in the order of their commits, which is that of their submission but where a commit fails; a change's result is
delivered only after its commit; a failing change takes no other with it. A `patient` change (the result of something that has happened) is
tried again while the disk is full or the file locked; the others fail then, at once where a patient one is waiting already.
A change may run twice, if its transaction is rolled back: outside the tables it changes nothing that a second run would not change alike.
"""

from __future__ import annotations

import logging
import pathlib
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from inngest_gen.engine.store.database import is_transient, store_error
from inngest_gen.engine.store.tables import Tables
from inngest_gen.errors import StoreError
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
        self._backlog: deque[Job] = deque()
        self._closed = False
        self._hurried = threading.Event()
        self._trouble: StoreError | None = None
        """What the last transaction met, if it may pass by itself."""
        self._thread = threading.Thread(target=self._run, name="inngest_gen writer", daemon=True)
        self.commits: int = 0
        """How many transactions have been committed."""
        self._thread.start()

    def submit(self, change: Change, done: Callable[[Job], None], *, patient: bool = True) -> Job:
        """Queue a change. Thread-safe."""
        job = Job(change, done, patient=patient)
        self._queue.put(job)
        return job

    def hurry(self) -> None:
        """Let no change wait any more for a disk with room or a free file: they fail instead."""
        self._hurried.set()

    def close(self) -> None:
        """Finish what is queued and close the file. Blocks until that is done."""
        self.hurry()
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        tables = Tables(self._connection)
        while self._make_next(tables):
            pass
        try:
            self._connection.execute("PRAGMA optimize")
        except sqlite3.Error as error:
            self._log.warning("%s", store_error(error, self._path))
        self._connection.close()

    def _make_next(self, tables: Tables) -> bool:
        # A call of its own: while the thread waits for the next batch, nothing holds what the last one held.
        batch = self._next()
        if batch:
            self._commit(tables, batch)
        return bool(batch)

    def _next(self) -> list[Job]:
        """Take the changes that wait, at most a batch; waits for the first. None are left once the writer is closed."""
        backlog = self._backlog
        if not backlog and not self._closed:
            self._keep(self._queue.get())
        self._look()
        return [backlog.popleft() for _ in range(min(len(backlog), _BATCH))]

    def _look(self) -> None:
        while not self._queue.empty():
            self._keep(self._queue.get_nowait())

    def _keep(self, job: Job | None) -> None:
        if job is None:
            self._closed = True
        else:
            self._backlog.append(job)

    def _deliver(self, batch: list[Job]) -> None:
        def deliver() -> None:
            for job in batch:
                try:
                    job.done(job)
                except Exception:  # noqa: BLE001 - one run's defect must not keep the others from their results
                    self._log.exception("what follows from a commit failed by a defect of the engine")

        try:
            self._wake(deliver)
        except RuntimeError:  # the loop is over; what is committed is committed
            pass

    def _commit(self, tables: Tables, batch: list[Job]) -> None:
        try:
            self._transact(tables, batch)
        except Exception:  # noqa: BLE001 - one of them failed: find out which, each in a transaction of its own
            batch.sort(key=lambda job: job.patient)  # those behind a patient one might wait for long
            for job in batch:
                self._commit_alone(tables, job)
                self._deliver([job])
        else:
            self._deliver(batch)

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
        self._trouble = None

    def _commit_alone(self, tables: Tables, job: Job) -> None:
        tries = 0
        while True:
            if self._trouble is not None and (not job.patient or self._hurried.is_set()):
                job.error = StoreError(str(self._trouble))
                return
            try:
                self._transact(tables, [job])
            except sqlite3.Error as error:
                plain = store_error(error, self._path)
                plain.__cause__ = error
                transient = is_transient(error)
                self._trouble = plain if transient else None
                if not job.patient or not transient or self._hurried.is_set():
                    job.error = plain
                    self._log.error("%s", plain)
                    return
                if tries in {0, 3} or tries % 12 == 0:
                    self._log.error("%s (trying again until it passes)", plain)
                self._refuse_impatient()
                self._hurried.wait(_PATIENCE_S[min(tries, len(_PATIENCE_S) - 1)])
                tries += 1
                if not self._hurried.is_set():
                    self._trouble = None  # look again
            except Exception as error:  # noqa: BLE001 - handed to whoever submitted it
                job.error = error
                return
            else:
                return

    def _refuse_impatient(self) -> None:
        """Let the changes fail that wait behind a patient one and would not wait."""
        self._look()
        refused = [job for job in self._backlog if not job.patient]
        if refused:
            self._backlog = deque(job for job in self._backlog if job.patient)
            for job in refused:
                job.error = StoreError(str(self._trouble))
            self._deliver(refused)
