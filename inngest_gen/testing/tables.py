"""MemoryTables: the engine's tables as plain values of this process, for tests, which make thousands of engines.

Promises: each method gives what the statement of `Tables` that it stands for would; a change can be taken back as a whole. Rows are never changed in
place, so that a copy of what holds them is a copy of everything. Refuses: what only a file has (commands of other processes, declarations).
"""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, cast

from inngest_gen.calls.lazy import PriorDefers
from inngest_gen.engine.store.tables import Entry, Row, Tables

_INSERT_RUN = (
    "INSERT INTO runs VALUES (:run, :id, :function, :event, :kind, :origin, :parent, :parent_hash, :status, :attempt, :suspended, :codes, :created,"
    " :started, :ended, :output, :error)"
)


class Received(NamedTuple):
    """An event."""

    seq: int
    id: str
    name: str
    data: bytes
    ts: int
    meta: bytes | None
    received: float
    origin: int | None


class Pause(NamedTuple):
    """What an unfinished step waits for."""

    run: int
    hash: str
    kind: str
    due: float | None
    event: str | None
    path: str | None
    value: str | None
    signal: str | None
    info: bytes | None


class Deferred(NamedTuple):
    """A defer."""

    run: int
    hash: str
    number: int
    id: str
    name: str
    function: str | None
    data: bytes | None
    meta: bytes | None
    experiment: bytes | None
    status: str
    reason: str | None
    child: str | None


class Rows:
    """All rows as they were at a moment."""

    __slots__ = ("defers", "events", "log", "pauses", "runs")

    def __init__(self, tables: MemoryTables) -> None:
        self.events: list[Received] = tables.events.copy()
        self.runs: list[dict[str, Any]] = tables.runs.copy()
        self.log: dict[int, list[Entry]] = {run: entries.copy() for run, entries in tables.entries.items()}
        self.pauses: list[Pause] = [pause for pauses in tables.pausing.values() for pause in pauses.values()]
        self.defers: list[Deferred] = [defer for defers in tables.deferred.values() for defer in defers.values()]

    def write(self, connection: sqlite3.Connection) -> None:
        """Write them into the tables of a new file."""
        insert = connection.executemany
        insert("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)", self.events)
        insert(_INSERT_RUN, self.runs)
        entries = sorted((seq, run, *rest) for run, entries in self.log.items() for seq, *rest in entries)
        insert("INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?, ?)", entries)
        insert("INSERT INTO pauses VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", self.pauses)
        insert("INSERT INTO defers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", self.defers)


class MemoryTables(Tables):
    """The tables. What changes them is between `begin` and `take_back`, or the next `begin`."""

    __slots__ = (
        "_entry",
        "_event_ids",
        "_run_ids",
        "_started",
        "_timers",
        "_undo",
        "_waiting",
        "deferred",
        "entries",
        "events",
        "pausing",
        "runs",
    )

    def __init__(self) -> None:  # no super().__init__(): there is no connection
        self.events: list[Received] = []
        self.runs: list[dict[str, Any]] = []
        self.entries: dict[int, list[Entry]] = {}
        """The log, by run."""
        self.pausing: dict[int, dict[str, Pause]] = {}
        """The pauses, by run and hash."""
        self.deferred: dict[int, dict[str, Deferred]] = {}
        """The defers, by run and hash."""
        self._entry = 0
        self._event_ids: dict[str, int] = {}
        self._run_ids: dict[str, int] = {}
        self._started: set[tuple[int, str]] = set()
        self._timers: list[tuple[float, int, str]] = []
        """A heap of the pauses that have a time; those that are over are dropped when they come up."""
        self._waiting: dict[str, dict[tuple[str, str], dict[tuple[int, str], None]]] = {}
        """The pauses for events, by name, then by path and value."""
        self._undo: list[Callable[[], Any]] = []

    def begin(self) -> None:
        """Begin a change."""
        self._undo.clear()

    def take_back(self) -> None:
        """Undo what has been changed since `begin`."""
        while self._undo:
            self._undo.pop()()

    # Events.

    def add_event(self, id: str, name: str, data: bytes, ts: int, meta: bytes | None, now: float, origin: int | None) -> int | None:
        if id in self._event_ids:
            return None
        seq = len(self.events) + 1
        self.events.append(Received(seq, id, name, data, ts, meta, now, origin))
        self._event_ids[id] = seq

        def undo() -> None:
            self.events.pop()
            del self._event_ids[id]

        self._undo.append(undo)
        return seq

    def known_event(self, id: str) -> tuple[int, int]:
        seq = self._event_ids[id]
        return seq, self.events[seq - 1].origin or seq

    def event(self, seq: int) -> tuple[str, str, bytes, int, bytes | None]:
        return self.events[seq - 1][1:6]

    # Runs.

    def add_run(
        self, id: str, function: str, event: int, kind: str, origin: int, parent: int | None, parent_hash: str | None, now: float
    ) -> int | None:
        if (event, function) in self._started:
            return None
        run = len(self.runs) + 1
        self.runs.append({
            "run": run, "id": id, "function": function, "event": event, "kind": kind, "origin": origin, "parent": parent,
            "parent_hash": parent_hash, "status": "queued", "attempt": 0, "suspended": 0, "codes": None, "created": now, "started": None,
            "ended": None, "output": None, "error": None,
        })  # fmt: skip
        self._run_ids[id] = run
        self._started.add((event, function))
        self.entries[run] = []

        def undo() -> None:
            self.runs.pop()
            del self._run_ids[id], self.entries[run]
            self._started.discard((event, function))

        self._undo.append(undo)
        return run

    def _set(self, run: int, **changes: Any) -> None:
        place = run - 1
        old = self.runs[place]
        self.runs[place] = {**old, **changes}
        self._undo.append(lambda: self.runs.__setitem__(place, old))

    def run(self, run: int) -> Row | None:
        return self.runs[run - 1] if 0 < run <= len(self.runs) else None

    def run_by_id(self, id: str) -> Row | None:
        run = self._run_ids.get(id)
        return None if run is None else self.runs[run - 1]

    def started(self, run: int, now: float, codes: str) -> None:
        row = self.runs[run - 1]
        if row["ended"] is None:
            self._set(run, status="running", started=now if row["started"] is None else row["started"], codes=codes)

    def has_ended(self, run: int) -> bool:
        return self.runs[run - 1]["ended"] is not None

    def set_status(self, run: int, status: str) -> None:
        self._set(run, status=status)

    def set_codes(self, run: int, codes: str) -> None:
        self._set(run, codes=codes)

    def set_attempt(self, run: int, attempt: int) -> None:
        self._set(run, attempt=attempt)

    def set_error(self, run: int, error: bytes | None) -> None:
        self._set(run, error=error)

    def suspend(self, run: int) -> None:
        self._set(run, suspended=1)

    def resume(self, run: int) -> None:
        self._set(run, suspended=0)

    def end(self, run: int, status: str, now: float, output: bytes | None, error: bytes | None) -> bool:
        if self.has_ended(run):
            return False
        self._set(run, status=status, ended=now, output=output, error=error, suspended=0)
        for hash in self.pauses(run):
            self.end_pause(run, hash)
        return True

    def reopen(self, run: int) -> None:
        self._set(run, status="running", ended=None, error=None, output=None, attempt=0, suspended=0)

    def runnable(self) -> list[int]:
        return [row["run"] for row in self.runs if row["ended"] is None and not row["suspended"] and row["status"] != "blocked"]

    def open_functions(self) -> list[str]:
        return list({row["function"]: None for row in self.runs if row["ended"] is None})

    def unfinished(self, origin: int) -> int:
        return sum(row["origin"] == origin and row["ended"] is None and row["status"] != "blocked" for row in self.runs)

    # The log.

    def log(self, run: int, now: float, kind: str, hash: str | None, position: int | None, info: bytes | None, data: bytes | None) -> None:
        self._entry += 1
        entries = self.entries[run]
        entries.append((self._entry, now, kind, hash, position, info, data))
        self._undo.append(entries.pop)

    def history(self, run: int) -> list[Entry]:
        return self.entries.get(run, [])

    def last(self, run: int, kind: str) -> bytes | None:
        return next((entry[5] for entry in reversed(self.entries[run]) if entry[2] == kind), None)

    def errors(self, run: int) -> list[tuple[int, bytes]]:
        entries = self.entries[run]
        said = {entry[3]: entry[5] for entry in reversed(entries) if entry[5] is not None}
        found = [(seq, said.get(hash) if info is None else info) for seq, _, kind, hash, _, info, _ in entries if kind == "error"]
        return cast("list[tuple[int, bytes]]", found)

    def forget_error(self, seq: int) -> None:
        for entries in self.entries.values():
            for place, entry in enumerate(entries):
                if entry[0] == seq:
                    entries[place] = (seq, entry[1], "forgotten", *entry[3:])
                    self._undo.append(partial(entries.__setitem__, place, entry))
                    return

    # Pauses.

    def pause(
        self,
        run: int,
        hash: str,
        kind: str,
        due: float | None = None,
        *,
        event: str | None = None,
        path: str | None = None,
        value: str | None = None,
        signal: str | None = None,
        info: bytes | None = None,
    ) -> None:
        pauses = self.pausing.setdefault(run, {})
        if hash in pauses or (signal is not None and self.waiting_for_signal(signal) is not None):
            raise sqlite3.IntegrityError(f"another step waits: run {run}, {hash}, {signal}")
        self._put(Pause(run, hash, kind, due, event, path, value, signal, info))
        self._undo.append(lambda: self._take(run, hash))

    def _put(self, pause: Pause) -> None:
        self.pausing[pause.run][pause.hash] = pause
        if pause.due is not None:
            heapq.heappush(self._timers, (pause.due, pause.run, pause.hash))
        if pause.event is not None:
            self._waiting.setdefault(pause.event, {}).setdefault((pause.path or "", pause.value or ""), {})[pause.run, pause.hash] = None

    def _take(self, run: int, hash: str) -> Pause:
        pause = self.pausing[run].pop(hash)
        if pause.event is not None:
            by_value = self._waiting[pause.event]
            at = pause.path or "", pause.value or ""
            del by_value[at][run, hash]
            if not by_value[at]:
                del by_value[at]
        return pause

    def end_pause(self, run: int, hash: str) -> bool:
        if hash not in self.pausing.get(run, ()):
            return False
        pause = self._take(run, hash)
        self._undo.append(lambda: self._put(pause))
        return True

    def pauses(self, run: int) -> list[str]:
        return sorted(self.pausing.get(run, ()))

    def due(self, run: int, now: float) -> list[tuple[str, str, bytes | None]]:
        due = sorted((one.due, one.hash, one.kind, one.info) for one in self.pausing.get(run, {}).values() if one.due is not None)
        return [(hash, kind, info) for at, hash, kind, info in due if at <= now]

    def first_due(self) -> float | None:
        timers = self._timers
        while timers:
            due, run, hash = timers[0]
            pause = self.pausing[run].get(hash)
            if pause is not None and pause.due == due:
                return due
            heapq.heappop(timers)
        return None

    def timers(self) -> list[tuple[float, int]]:
        return [(one.due, one.run) for pauses in self.pausing.values() for one in pauses.values() if one.due is not None]

    def due_runs(self, now: float) -> list[int]:
        """List the runs that have a wait whose time has come, in the order of those times."""
        runs: dict[int, None] = {}
        passed = []
        while (first := self.first_due()) is not None and first <= now:
            passed.append(heapq.heappop(self._timers))
            runs[passed[-1][1]] = None
        for one in passed:  # they are over once somebody says so
            heapq.heappush(self._timers, one)
        return list(runs)

    def awaited_paths(self, event: str) -> list[str]:
        return sorted({path for path, _ in self._waiting.get(event, ())})

    def waits(self, event: str, path: str, value: str) -> list[tuple[int, str]]:
        return sorted(self._waiting.get(event, {}).get((path, value), ()))

    def waiting_for_signal(self, signal: str) -> tuple[int, str] | None:
        return next(((one.run, one.hash) for pauses in self.pausing.values() for one in pauses.values() if one.signal == signal), None)

    # Defers.

    def add_defer(
        self, run: int, hash: str, id: str, name: str, function: str | None, data: bytes | None, meta: bytes | None, experiment: bytes | None,
        status: str, reason: str | None,
    ) -> bool:  # fmt: skip
        defers = self.deferred.setdefault(run, {})
        if hash in defers:
            return False
        defers[hash] = Deferred(run, hash, len(defers), id, name, function, data, meta, experiment, status, reason, None)
        self._undo.append(lambda: defers.pop(hash))
        return True

    def _change(self, defer: Deferred, **changes: Any) -> None:
        defers = self.deferred[defer.run]
        defers[defer.hash] = defer._replace(**changes)
        self._undo.append(lambda: defers.__setitem__(defer.hash, defer))

    def abort_defer(self, run: int, hash: str) -> bool:
        defer = self.deferred.get(run, {}).get(hash)
        if defer is None or defer.status != "after_run":
            return False
        self._change(defer, status="aborted", data=None)
        return True

    def defer_totals(self, run: int) -> tuple[int, int]:
        counted = [one for one in self.deferred.get(run, {}).values() if one.status != "rejected"]
        return len(counted), sum(len(one.data) for one in counted if one.data is not None)

    def prior_defers(self, run: int) -> PriorDefers:
        return {
            hash: None if one.status == "rejected" and one.data is None else one.status == "after_run"
            for hash, one in self.deferred.get(run, {}).items()
        }

    def to_schedule(self, run: int) -> list[tuple[str, str, str, bytes, bytes | None, bytes | None]]:
        return [
            (one.hash, one.id, cast("str", one.function), cast("bytes", one.data), one.meta, one.experiment)
            for one in self.deferred.get(run, {}).values()
            if one.status == "after_run"
        ]

    def set_defer(self, run: int, hash: str, status: str, child: str | None, reason: str | None = None) -> None:
        defer = self.deferred[run][hash]
        self._change(defer, status=status, child=child, reason=defer.reason if reason is None else reason)
