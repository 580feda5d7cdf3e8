"""Engine: runs the functions of apps durably over one SQLite file, inside the user's event loop.

Promises: what `send` acknowledged is on disk; a step's result is on disk before its handler sees it; on start everything unfinished goes on.
Refuses: a second engine on the same file, and options it does not honour yet.
"""

from __future__ import annotations

import heapq
import logging
import pathlib
import sys
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from contextlib import nullcontext
from dataclasses import replace
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

import anyio
import anyio.abc
import anyio.to_thread

from inngest_gen import jsonvalue
from inngest_gen.app.app import App
from inngest_gen.app.codes import code_of
from inngest_gen.app.function import Function
from inngest_gen.calls.lazy import DeferAdd, LazyOp
from inngest_gen.clock import Clock, SystemClock, VirtualClock
from inngest_gen.driver.attempt import current_attempt
from inngest_gen.driver.threads import Threads
from inngest_gen.durations import Duration, seconds
from inngest_gen.engine.limiter import FairLimiter
from inngest_gen.engine.live import LiveRun
from inngest_gen.engine.progress import Kind, Listener, Progress
from inngest_gen.engine.record import Record, load
from inngest_gen.engine.rules.matching import Triggers
from inngest_gen.engine.run import Run
from inngest_gen.engine.seats import Seats
from inngest_gen.engine.sent import Sent, checked_event
from inngest_gen.engine.store import database
from inngest_gen.engine.store.reader import LargeRecord, Reader
from inngest_gen.engine.store.tables import Tables
from inngest_gen.engine.store.writer import Job, Writer
from inngest_gen.engine.transitions import Effects, Over, Paused, Queued, Received, Reopened, Resolved, Transitions
from inngest_gen.engine.waiters import Waiter, Waiters
from inngest_gen.errors import ConfigError, EngineError, InngestGenError, RunNotFound, StoreError, UnsupportedOption
from inngest_gen.event import Event
from inngest_gen.loops import bell, inlet, keep_interrupts_from
from inngest_gen.options.retries import Backoff, backoff
from inngest_gen.options.trigger import Cron, EventTrigger
from inngest_gen.recording.recording import Recording

T = TypeVar("T")

DEFAULT_CONCURRENCY = 100
_LIVE = 1000
"""How many runs may be in memory at once; the others wait as rows."""
_PREPARED = 2000
"""How many queued runs keep what was just written of them, so that it need not be read back."""
_FIRE = 200
_FEW_ROWS = 200
_FEW_TIMERS = 10_000
"""So many may be left over from waits that have ended, and as many more as there are waits."""
_POLL_S = 0.25
_AGAIN_S = 5.0
"""When the engine's own tasks look again whether the store works."""
_LOOK_S = 0.1
_STOPPED = "the engine is stopping or stopped: unfinished runs go on when an engine next opens the file"
_LONGEST_WAIT_S = 30.0
"""Timers look at the clock again at least this often: the machine may have slept, or its clock been set."""


class Engine:
    """Runs apps over the file `path`: `async with ig.Engine("shop.db", apps=[app]) as engine`.

    `durability`: "power" (every commit survives a power failure) or "process" (survives `kill -9`; the last moments before a power failure may be
    lost; commits cost a tenth). `backoff`: a duration, a list of them or a function of the failed attempt's number, where neither the function nor
    its app declares one. `concurrency`: how many step bodies run at once (default 100). `max_steps` a run (1 to 10,000). `grace`: how long running
    step bodies may go on when the engine stops. `clock`: another source of time (VirtualClock). `watch`: called in the loop for each happening.
    Raises ConfigError here; EngineLocked, StoreError and UnsupportedOption on entering.
    """

    def __init__(
        self,
        path: str | pathlib.Path,
        *,
        apps: Sequence[App],
        durability: Literal["power", "process"] = "power",
        backoff: Backoff | None = None,
        concurrency: int | None = None,
        max_steps: int = 1000,
        grace: Duration = "10s",
        clock: Clock | None = None,
        watch: Listener | None = None,
    ) -> None:
        if durability not in {"power", "process"}:
            raise ConfigError(f'durability is "power" or "process", not {durability!r}')
        if not isinstance(max_steps, int) or isinstance(max_steps, bool) or not 1 <= max_steps <= 10_000:
            raise ConfigError(f"max_steps is a whole number from 1 to 10000, not {max_steps!r}")
        if isinstance(apps, App):
            raise ConfigError("apps is a list: apps=[app]")
        if str(path) in {"", ":memory:"}:
            raise ConfigError(f"the engine needs a file, not {str(path)!r}: for a test, one in a temporary directory")
        self.path: pathlib.Path = pathlib.Path(path)
        self.apps: tuple[App, ...] = tuple(apps)
        self.durability: Literal["power", "process"] = durability
        self.max_steps: int = max_steps
        self.watch: Listener | None = watch
        self.log: logging.Logger = logging.getLogger("inngest_gen.engine")
        self.functions: dict[str, Function] = _functions(self.apps)
        self._backoff = _backoff(backoff)
        self._grace = seconds(grace)
        self._clock = clock or SystemClock()
        self._concurrency = DEFAULT_CONCURRENCY if concurrency is None else concurrency
        self.limiter: FairLimiter = FairLimiter(self._concurrency)
        self._live: dict[int, LiveRun] = {}
        self._seats = Seats()
        self._queue: deque[int] = deque()
        self._queued: dict[int, Record | None] = {}
        self._timers: list[tuple[float, int]] = []
        self._enough_timers = _FEW_TIMERS
        self._watched: Waiters[str] = Waiters()
        self._awaited: Waiters[int] = Waiters()
        self._stuck: dict[int, tuple[str, int, EngineError]] = {}
        """Runs that cannot go on in this process: (id, origin, what was met), by number."""
        self._codes: dict[str, str] = {}
        self._jobs = 0
        self._state: Literal["new", "open", "stopping", "closed"] = "new"
        self._readable = False
        self._stop_by: float | None = None
        self._serving: anyio.CancelScope | None = None

    # Lifetime.

    async def __aenter__(self) -> Self:
        if self._state != "new":
            raise EngineError("an Engine is entered once: make another one")
        _refuse_unsupported(self.functions)
        for app in self.apps:
            if app.engine is not None:
                raise EngineError(f"app {app.id!r} is run by another engine in this process")
        self._lock = await anyio.to_thread.run_sync(database.lock, self.path)
        try:
            connection = await anyio.to_thread.run_sync(lambda: database.connect(self.path, durability=self.durability))
            try:
                self._reader = Reader(self.path)
            except BaseException:
                connection.close()
                raise
        except BaseException:
            self._lock.release()
            raise
        self._reading = anyio.Lock()
        self._readable = True
        self._inlet = inlet()
        self.threads: Threads = Threads(self._inlet)
        self._timer_news = anyio.Event()
        self._start_news = anyio.Event()
        self._emptied = anyio.Event()
        triggers = Triggers(
            (trigger.name, function.slug)
            for function in self.functions.values()
            for trigger in function.options.triggers
            if not isinstance(trigger, Cron)
        )
        self.transitions: Transitions = Transitions(set(self.functions), triggers, self._clock)
        self._writer = Writer(connection, self.path, self._inlet, self.log)
        self._state = "open"
        for app in self.apps:
            app.engine = self
        self._unlisten = self._clock.listen(self._look_at_timers) if isinstance(self._clock, VirtualClock) else None
        keep_interrupts_from(self._serve, self._time, self._start_runs, self._poll, Seats.drive, LiveRun.main, LiveRun.body)
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        try:
            await self._tasks.start(self._serve)
            unknown, timers = await self._ask(self._take_up)
            self._keep_timers([*self._timers, *timers])
            for slug in unknown:
                self.log.warning("%s has unfinished runs of %r, which no app here declares: they stay as they are", self.path, slug)
            await self._ask(self._take_commands)
        except BaseException as error:
            await self.__aexit__(type(error), error, error.__traceback__)
            raise
        return self

    def _take_up(self, tx: Tables) -> Effects:
        """Take up the file: say what is declared here, and give what is unfinished."""
        for slug, function in self.functions.items():
            tx.declare(slug, function.app.id, function.options.retries + 1)
        return self.transitions.open(tx)

    async def __aexit__(self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None) -> None:
        self._state = "stopping"
        self._stop_by = anyio.current_time() + self._grace
        self._queue.clear()
        self._queued.clear()
        self._timer_news.set()
        try:
            try:
                with anyio.move_on_after(self._grace, shield=True):
                    await self._wind_down()
            finally:  # a second Ctrl-C comes out of the wait
                self._writer.hurry()
                # Only the cancellation of the engine's own tasks ends what still runs.
                if self._serving is not None:
                    self._serving.cancel()
                # Not told of the user's error: it would come back wrapped in an ExceptionGroup.
                await self._tasks.__aexit__(None, None, None)
        except BaseExceptionGroup as group:
            raise _unwrapped(group) from None
        finally:
            self.threads.close()
            with anyio.CancelScope(shield=True):
                # The last connection to close moves the write-ahead log into the database: let it be the one that may write.
                async with self._reading:
                    self._readable = False
                    self._reader.close()
                await anyio.to_thread.run_sync(self._writer.close)
            self._inlet.close()
            self._state = "closed"
            if self._unlisten is not None:
                self._unlisten()
            for app in self.apps:
                app.engine = None
            self._lock.release()
            stopped = EngineError(_STOPPED)
            self._watched.end_all(stopped)
            self._awaited.end_all(stopped)

    async def _serve(self, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        """Own the tasks of runs and bodies, shielded from the cancellation of whoever opened the engine: they get the grace period."""
        with anyio.CancelScope(shield=True) as self._serving:
            async with anyio.create_task_group() as self._bodies:
                self._bodies.start_soon(self._time)
                self._bodies.start_soon(self._start_runs)
                if not isinstance(self._clock, VirtualClock):
                    self._bodies.start_soon(self._poll)
                task_status.started()

    async def _wind_down(self) -> None:
        """Let running step bodies finish and be committed; runs that only wait are let go at once."""
        while self._live:
            for live in list(self._live.values()):
                live.stop_when_idle()
            self._emptied = anyio.Event()
            if self._live:
                await self._emptied.wait()

    # What users call.

    async def send(self, *events: Event) -> list[str]:
        """Send events; gives their ids once they are on disk. An id that is known already starts nothing.

        Raises EngineError for a reserved name or a stopped engine, TooLarge beyond 4 MiB, NotJSON, StoreError.
        """
        sent = self._checked(events)
        result: list[Received] = await self._ask(lambda tx: self.transitions.receive(tx, sent))
        return [one.id for one in result]

    def _checked(self, events: Sequence[Event]) -> list[Sent]:
        self._check_open()
        for event in events:
            if not isinstance(event, Event):
                raise TypeError(f"send takes ig.Event values, not {type(event).__name__}")
        return [checked_event(event) for event in events]

    async def run(self, event: Event, timeout: Duration | None = None) -> list[Run]:
        """Send an event and wait until every run it causes has ended: triggered, invoked, deferred, started by events those send.

        Gives the runs in the order of their creation; a blocked run counts as ended. On timeout raises TimeoutError, and the runs go on.
        Raises what `send` raises, and EngineError or StoreError where a run cannot go on in this process.
        """
        sent = self._checked([event])
        waiter = Waiter()
        watched = self.transitions.watched

        def change(tx: Tables) -> Effects:
            effects = self.transitions.receive(tx, sent)
            [received] = effects.result
            number = received.origin
            watched.add(number, waiter)
            started = sum(isinstance(effect, Queued) for effect in effects.then)
            effects.result = (number, started if received.new else tx.unfinished(number))
            return effects

        def register(effects: Effects) -> None:
            # At once: what the next commits end is told right after this.
            number, unfinished = effects.result
            if unfinished:
                self._awaited.add(number, waiter)

        number = None
        try:
            with nullcontext() if timeout is None else anyio.fail_after(seconds(timeout)):
                number, unfinished = await self._ask(change, register)
                if unfinished:
                    for _, origin, error in self._stuck.values():
                        if origin == number:
                            raise error
                    await waiter.wait()
        finally:
            watched.discard(waiter)
            if number is not None:
                self._awaited.discard(number, waiter)
        return await self._read(lambda reader, at_most: reader.caused_by(number, at_most))

    async def get(self, run_id: str) -> Run:
        """Give a run. Raises RunNotFound."""
        run = await self._read(lambda reader, at_most: reader.get(run_id, at_most))
        if run is None:
            raise RunNotFound(run_id)
        return run

    async def recording(self, run_id: str) -> Recording:
        """Give a run as a recording, to replay in a debugger or to keep. Raises RunNotFound."""
        found = await self._read_all(lambda reader: reader.recording(run_id))
        if found is None:
            raise RunNotFound(run_id)
        function = self.functions.get(found.function)
        return found if function is None else replace(found, app=function.app.id, max_attempts=function.options.retries + 1)

    async def runs(self, status: str | None = None, function: str | None = None, limit: int = 100) -> list[Run]:
        """List runs, newest first. `function` is a slug or a function's id."""
        return await self._read_all(lambda reader: reader.runs(status, function, limit))

    async def wait(self, run_id: str) -> Run:
        """Wait until a run has ended (or is blocked) and give it. Raises RunNotFound, and EngineError or StoreError where it cannot go on here."""
        while True:
            waiter = Waiter()
            self._watched.add(run_id, waiter)
            try:
                run = await self.get(run_id)
                if run.has_ended or run.status == "blocked":
                    return run
                self._check_open()
                for id, _, error in self._stuck.values():
                    if id == run_id:
                        raise error
                await waiter.wait()
            finally:
                self._watched.discard(run_id, waiter)

    async def cancel(self, run_id: str) -> None:
        """Cancel a run; its handler is not resumed, its defers are scheduled. One that has ended stays as it is.

        Raises RunNotFound, EngineError for a stopped engine, StoreError.
        """
        self._check_open()
        await self._ask(lambda tx: self.transitions.cancel(tx, run_id))

    async def retry(self, run_id: str) -> None:
        """Let a blocked run go on, or a failed one try again the steps whose failure ended it, or its handler. What is recorded stays.

        Raises RunNotFound, EngineError for a run in another state or a stopped engine, StoreError.
        """
        self._check_open()
        await self._ask(lambda tx: self.transitions.retry(tx, run_id))

    async def note(self, run_id: str, text: str) -> None:
        """Note something in the timeline of a run, ended or not; the same text once. Raises RunNotFound, EngineError, StoreError."""
        self._check_open()
        await self._ask(lambda tx: self.transitions.note(tx, run_id, text))

    def send_from_thread(self, events: Sequence[Event]) -> list[str]:
        """Send events from a thread that runs no loop; blocks until they are on disk. Raises what `send` raises."""
        import threading

        sent = self._checked(events)
        acknowledged = threading.Event()

        def change(tx: Tables) -> Effects:
            return self.transitions.receive(tx, sent)

        def done(job: Job) -> None:
            self._act(job)
            acknowledged.set()

        job = self._writer.submit(change, done, patient=False)
        while not acknowledged.wait(_LOOK_S):
            if self._state == "closed":  # nobody is left to tell
                raise EngineError(_STOPPED)
        if job.error is not None:
            raise job.error
        return [one.id for one in job.result.result]

    # What live runs call.

    def now(self) -> float:
        """Give the time, in epoch seconds."""
        return self._clock.now()

    def codes(self, function: Function) -> str:
        """Give the fingerprints of a function's code as one text."""
        known = self._codes.get(function.slug)
        if known is None:
            known = self._codes[function.slug] = code_of(function)
        return known

    def backoff_of(self, function: Function) -> Callable[[int], float] | None:
        """Give the backoff that holds for a function: its own, its app's, the engine's; None is the default table."""
        return function.options.backoff or self._backoff

    def start_body(self, body: Callable[[Any, anyio.CancelScope], Coroutine[Any, Any, None]], op: Any, scope: anyio.CancelScope) -> None:
        """Run a step's body in a task of its own."""
        self._bodies.start_soon(body, op, scope)

    async def load(self, run: int, then: Callable[[], None]) -> Record | None:
        """Read an unfinished run; `then` is called once what was committed before has been delivered, and before what is committed later is."""
        record: Record | None = (await self.commit(lambda tx: Effects(load(tx, run)), lambda _: then())).result
        return record

    def submit(self, change: Callable[[Tables], Effects], done: Callable[[Job], None]) -> None:
        """Queue a change; after its commit its effects are acted on, and `done` is called in the loop."""

        def finished(job: Job) -> None:
            self._jobs -= 1
            self._act(job)  # before the change's own result: in the order of the record
            done(job)
            self._look_idle()

        self._jobs += 1
        self._writer.submit(change, finished)

    async def commit(
        self, change: Callable[[Tables], Effects], then: Callable[[Effects], None] | None = None, *, patient: bool = True
    ) -> Effects:
        """Make a change and wait until it is durable; `then` is called before anything that follows. Raises StoreError.

        Cancelled, the change is made all the same.
        """
        committed = bell()
        self._jobs += 1

        def finished(job: Job) -> None:
            self._jobs -= 1
            self._act(job)
            if then is not None and job.error is None:
                then(job.result)
            committed.ring()

        job = self._writer.submit(change, finished, patient=patient)
        await committed.wait()
        if job.error is not None:
            raise job.error
        effects: Effects = job.result
        return effects

    def left(self, live: LiveRun) -> None:
        """Forget a run that has left memory; if something has arrived for it since, take it up again."""
        del self._live[live.run]
        if live.mailed_late:
            self._enqueue(live.run, None)
        self._pump()
        if not self._live:
            self._emptied.set()
        self._look_idle()

    def stuck(self, run: int, record: Record | None, error: Exception) -> None:
        """Tell that a run cannot go on in this process, and why; let those who wait for it fail."""
        name = f"number {run}" if record is None else record.id
        text = f"run {name} stopped here and will be taken up again at the next start: {error}"
        told = StoreError(text) if isinstance(error, StoreError) else EngineError(text)
        told.__cause__ = error
        self.log.error("%s", text, exc_info=None if isinstance(error, EngineError) else error)
        if record is None:  # whose it is could not even be read
            self._watched.end_all(told)
            self._awaited.end_all(told)
        else:
            self._stuck[run] = record.id, record.origin, told
            self._watched.end(record.id, told)
            self._awaited.end(record.origin, told)

    def patience(self) -> float:
        """Give how long closing what a run holds may take, in seconds: the grace, or what is left of it."""
        return self._grace if self._stop_by is None else max(1.0, self._stop_by - anyio.current_time())

    def tell(self, kind: Kind, run_id: str, function_id: str, **facts: Any) -> None:
        """Tell whoever watches."""
        if self.watch is not None:
            try:
                self.watch(Progress(kind=kind, at=self.now(), run_id=run_id, function_id=function_id, **facts))
            except Exception:
                self.log.exception("the watcher failed")

    def log_dropped(self, run_id: str, lazy: Sequence[LazyOp]) -> None:
        """Log defers which will not be sent because their run has ended."""
        for op in lazy:
            if isinstance(op, DeferAdd):
                self.log.warning("defer %r of run %s is dropped: the run was cancelled or had ended before it was sent", op.id, run_id)

    # Effects.

    async def _ask(self, change: Callable[[Tables], Effects], then: Callable[[Effects], None] | None = None) -> Any:
        """Make a change that a user asks for; gives its result. Not patient, so that it can be shielded: what came of it is always known."""
        with anyio.CancelScope(shield=True):
            return (await self.commit(change, then, patient=False)).result

    async def _change(self, change: Callable[[Tables], Effects]) -> Any:
        """Make a change of the engine's own; gives its result."""
        return (await self.commit(change)).result

    def _act(self, job: Job) -> None:
        if job.error is None:
            effects: Effects = job.result
            for effect in effects.then:
                match effect:
                    case Queued(record, parent_id):
                        self.tell("run.queued", record.id, record.function, parent_run_id=parent_id, run_kind=record.kind)
                        self._enqueue(record.run, record if len(self._queue) < _PREPARED else None)
                    case Resolved(run, hash, memo):
                        live = self._live.get(run)
                        if live is not None:
                            live.deliver(hash, memo)
                        else:
                            self._enqueue(run, None)
                    case Paused(due, run):
                        heapq.heappush(self._timers, (due, run))
                        if len(self._timers) > self._enough_timers:
                            self._refresh_timers()
                        if self._timers[0][1] == run:
                            self._timer_news.set()
                    case Over():
                        self._end(effect)
                    case Reopened(run):
                        self._enqueue(run, None)
            self._pump(in_task=False)
            if self._queue:
                self._start_news.set()
        self._look_idle()

    def _end(self, over: Over) -> None:
        live = self._live.get(over.run)
        if live is not None and over.status == "cancelled":
            live.cancel()
        self._queued.pop(over.run, None)
        if self.watch is not None:
            self.tell(
                "run.blocked" if over.status == "blocked" else "run.ended",
                over.id,
                over.function,
                status=over.status,
                output=None if over.output is None else jsonvalue.decode(over.output),
                error=None if over.error is None else over.error.error(),
            )
        self._stuck.pop(over.run, None)
        self._watched.end(over.id)
        if over.unfinished == 0:
            self._awaited.end(over.origin)

    def _enqueue(self, run: int, record: Record | None) -> None:
        if run in self._live:
            self._live[run].mailed_late = True
            return
        if run not in self._queued and self._state == "open":
            self._queued[run] = record
            self._queue.append(run)

    def _refresh_timers(self) -> None:
        """Read the timers anew: a wait that ended before its time leaves its timer behind, and waits may be long."""

        def done(job: Job) -> None:
            self._keep_timers(self._timers if job.error is not None else job.result.result)

        self._enough_timers = sys.maxsize  # until that is done
        self.submit(lambda tx: Effects(tx.timers()), done)

    def _keep_timers(self, timers: list[tuple[float, int]]) -> None:
        heapq.heapify(timers)
        self._timers = timers
        self._enough_timers = _FEW_TIMERS + 2 * len(timers)
        self._timer_news.set()

    def _look_at_timers(self) -> None:
        self._timer_news.set()

    async def _start_runs(self) -> None:
        while True:
            await self._start_news.wait()
            self._start_news = anyio.Event()
            self._pump()

    def _pump(self, *, in_task: bool = True) -> None:
        """Let queued runs into memory. In a callback only as far as there are tasks for them: to start one takes a task."""
        while self._queue and len(self._live) < _LIVE and self._state == "open" and (in_task or self._seats):
            run = self._queue.popleft()
            if run not in self._queued:
                continue
            self._stuck.pop(run, None)
            live = LiveRun(self, run, self._queued.pop(run))
            self._live[run] = live
            if not self._seats.take(live):
                self._bodies.start_soon(self._seats.drive, live)

    # Time.

    async def _time(self) -> None:
        while self._state == "open":
            due = self._timers[0][0] if self._timers else None
            delay = None if due is None else due - self._clock.now()
            if delay is not None and delay <= 0:
                now = self._clock.now()
                runs: dict[int, None] = {}
                while self._timers and self._timers[0][0] <= now and len(runs) < _FIRE:
                    runs[heapq.heappop(self._timers)[1]] = None
                await self._fire(now, list(runs))
                continue
            if isinstance(self._clock, VirtualClock):
                if self._clock.jumps and due is not None and self._idle():
                    await self._jump(self._clock)
                    continue
                await self._timer_news.wait()
            else:
                with anyio.move_on_after(_LONGEST_WAIT_S if delay is None else min(delay, _LONGEST_WAIT_S)):
                    await self._timer_news.wait()
            self._timer_news = anyio.Event()

    async def _jump(self, clock: VirtualClock) -> None:
        """Move the clock to the next timer: of those there are, not of waits that ended before their time."""
        try:
            due = await self._change(lambda tx: Effects(tx.first_due()))
        except EngineError as error:
            self.log.error("the clock cannot move on: %s", error)
            await anyio.sleep(_AGAIN_S)
            return
        if self._idle():
            if due is None:
                self._timers.clear()
            elif due > clock.now():
                clock.advance_to(due)

    async def _fire(self, now: float, runs: list[int]) -> None:
        try:
            await self._change(lambda tx: self.transitions.fire(tx, runs))
        except EngineError as error:
            self.log.error("the timers of %d runs wait: %s", len(runs), error)
            for run in runs:
                heapq.heappush(self._timers, (now, run))
            await anyio.sleep(_AGAIN_S)
        except Exception:
            self.log.exception("timers failed by a defect of the engine")

    def _idle(self) -> bool:
        return not self._live and not self._queue and not self._jobs

    def _look_idle(self) -> None:
        if isinstance(self._clock, VirtualClock) and self._idle():
            self._timer_news.set()

    async def _poll(self) -> None:
        """Look for commands that other processes left in the file."""
        seen: int | None = None
        while True:
            await anyio.sleep(_POLL_S)

            def look(tx: Tables, seen: int | None = seen) -> Effects:
                version = tx.data_version()
                effects = Effects() if version == seen else self._take_commands(tx)
                effects.result = version
                return effects

            try:
                seen = await self._change(look)
            except EngineError as error:
                self.log.error("commands of other processes wait: %s", error)
                await anyio.sleep(_AGAIN_S)

    def _take_commands(self, tx: Tables) -> Effects:
        effects = Effects()
        for _, kind, argument in tx.take_commands():
            try:
                value = jsonvalue.decode(argument)
                if kind == "cancel":
                    effects.then += self.transitions.cancel(tx, value["run_id"]).then
                elif kind == "retry":
                    effects.then += self.transitions.retry(tx, value["run_id"]).then
                elif kind == "send":
                    sent = [
                        checked_event(Event(one["name"], one.get("data"), id=one.get("id"), ts=one.get("ts"), meta=one.get("meta")))
                        for one in value["events"]
                    ]
                    effects.then += self.transitions.receive(tx, sent).then
                else:
                    self.log.error("a command of unknown kind %r is left out", kind)
            except (InngestGenError, KeyError, TypeError) as error:
                self.log.error("the command %s %s is left out: %s", kind, argument.decode(errors="replace")[:200], error)
        return effects

    async def _read(self, read: Callable[[Reader, int | None], T]) -> T:
        """Read in the loop what is small: a few rows take 30 us, a hop to a thread and back 200."""
        self._check_readable()
        if not self._reading.locked():
            try:
                return read(self._reader, _FEW_ROWS)
            except LargeRecord:
                pass
        return await self._read_all(lambda reader: read(reader, None))

    async def _read_all(self, read: Callable[[Reader], T]) -> T:
        self._check_readable()
        async with self._reading:
            self._check_readable()
            return await anyio.to_thread.run_sync(read, self._reader)

    def _check_readable(self) -> None:
        if not self._readable:
            self._check_open()
            raise EngineError(_STOPPED)

    def _check_open(self) -> None:
        if self._state == "new":
            raise EngineError("the engine has not been entered: `async with ig.Engine(...) as engine`")
        if self._state == "stopping" and current_attempt() is not None:
            return  # a step body that may finish: what it sends is kept
        if self._state != "open":
            raise EngineError(_STOPPED)


def _unwrapped(error: BaseException) -> BaseException:
    """Give the only error in a group."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _functions(apps: Sequence[App]) -> dict[str, Function]:
    functions: dict[str, Function] = {}
    for app in apps:
        for function in app.functions.values():
            if function.slug in functions:
                raise ConfigError(f"two apps declare a function with the slug {function.slug!r}")
            functions[function.slug] = function
    return functions


def _backoff(value: Backoff | None) -> Callable[[int], float] | None:
    return backoff(value, "the engine")


def _refuse_unsupported(functions: dict[str, Function]) -> None:
    for function in functions.values():
        for name in function.options.flow:
            raise UnsupportedOption(function.slug, name)
        for trigger in function.options.triggers:
            if isinstance(trigger, Cron):
                raise UnsupportedOption(function.slug, f"the cron trigger {trigger.expression!r}")
            if isinstance(trigger, EventTrigger) and trigger.if_ is not None:
                raise UnsupportedOption(function.slug, f"the trigger expression if_={trigger.if_!r}")
