"""MemoryEngine: runs the functions of apps in memory, on a clock that moves by itself, in the test's own task.

The changes of state and the rules are the embedded engine's; what differs is that one thing happens after the other, always in the same order, and
that a long sleep takes no time. Promises: two runs of a test are alike, down to the ids. Refuses: flow control (a run begins at once).
"""

from __future__ import annotations

import heapq
import logging
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Self

from inngest_gen.app.app import App
from inngest_gen.app.function import Function
from inngest_gen.clock import VirtualClock
from inngest_gen.driver.attempt import current_attempt
from inngest_gen.driver.threads import Spare, Threads
from inngest_gen.driver.turn import Op
from inngest_gen.durations import Duration, moment, seconds
from inngest_gen.engine.record import Record
from inngest_gen.engine.rules.matching import match_key
from inngest_gen.engine.sent import checked_event
from inngest_gen.engine.store.tables import Tables
from inngest_gen.engine.transitions import Effects, Over, Paused, Queued, Reopened, Resolved
from inngest_gen.errors import ConfigError, EngineError
from inngest_gen.event import Event
from inngest_gen.ids import nth_id
from inngest_gen.intents.intent import describe
from inngest_gen.intents.step import Step
from inngest_gen.testing.director import Director
from inngest_gen.testing.failures import CheckFailed, NotUsed, is_found
from inngest_gen.testing.given import PARENT, At, starting
from inngest_gen.testing.handled import Handled
from inngest_gen.testing.memory import Cut, MemoryStore
from inngest_gen.testing.orders import Outcomes
from inngest_gen.testing.patience import Patience
from inngest_gen.testing.playing import Playing
from inngest_gen.testing.result import Result, TakenBack, results
from inngest_gen.testing.snapshot import Snapshot
from inngest_gen.testing.standins import Functions, StandIns, Steps
from inngest_gen.testing.stops import Stop
from inngest_gen.testing.tables import Rows
from inngest_gen.testing.witness import Witness, witnesses

__tracebackhide__ = is_found  # for pytest: what the kit finds is shown at the test's line

START: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""When a test's time begins."""


_BLOCKS_S: Final = 0.005
"""How long the loop is blocked for a sync body, in seconds: most have ended by then, and nothing else is to happen."""

_threads: Spare = []
"""Threads that earlier engines of this process have left: to start one takes as long as a step."""


class MemoryEngine:
    """An engine for tests: `async with testing.MemoryEngine(app) as engine`. Its `send` and `cancel` are those of `ig.Engine`.

    `steps` and `functions` say what stands in for them, `events` what is sent when a step waits for it, or at a time (`testing.at`). With
    `always_replay` every stop of a handler is held against a handler that is rebuilt from the record. `start` is when time begins, `seed` what the
    ids are drawn from. `patience` is how long, in real time, a handler or a body may take to come back. Raises ConfigError for two functions of one
    slug, and for a stand-in that is none.
    """

    def __init__(
        self,
        *apps: App,
        steps: Steps | None = None,
        functions: Functions | None = None,
        events: Sequence[Event | At] = (),
        always_replay: bool = True,
        start: datetime | str | None = None,
        seed: str = "",
        max_steps: int = 1000,
        max_happenings: int = 100_000,
        patience: Duration = "30s",
        allow_unused: bool = False,
        director: Director | None = None,
    ) -> None:
        self.apps: tuple[App, ...] = apps
        self.always_replay: bool = always_replay
        self.max_steps: int = max_steps
        self.max_happenings: int = max_happenings
        self._patience = Patience(seconds(patience))
        self.allow_unused: bool = allow_unused
        self.director: Director = director or Director()
        self.log: logging.Logger = logging.getLogger("inngest_gen.testing")
        self.functions: dict[str, Function] = {}
        for app in apps:
            for function in app.functions.values():
                if function.slug in self.functions:
                    raise ConfigError(f"two apps declare a function with the slug {function.slug!r}")
                self.functions[function.slug] = function
        self.stand_ins: StandIns = StandIns(steps, functions)
        self._start = moment(START if start is None else start)
        self._clock = VirtualClock(self._start)
        self._seed = seed
        self._ids = 0
        slugs = {*self.functions, *self.stand_ins.slugs()}
        self.store: MemoryStore = MemoryStore(self.functions, slugs, self._clock, self._new_id)
        self._live: dict[int, Handled] = {}
        self._drives: deque[Handled] = deque()
        self._bodies: list[tuple[Handled, Op]] = []
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._at: list[tuple[float, int, Event]] = []
        self._leaving: list[Handled] = []
        self._holder: Handled | None = None
        """The run that moved last, where it holds something of `ctx.using`."""
        self._wanted: list[Event] = [event for event in events if isinstance(event, Event)]
        self._counted = 0
        self._happened = 0
        self._happening = False
        self._watching: list[Callable[[Handled, Op], None]] = []
        self.played: set[int] = set()
        """Runs that the test itself began: nothing stands in for them."""
        self.set_aside: set[int] = set()
        """Runs that stay queued, as their function's stand-in says."""
        self.made_in_bodies: dict[int, set[str]] = {}
        """The hashes of the defers that step bodies made, by run."""
        self.taken_back: TakenBack = {}
        """The defers that were aborted before they were sent, by run."""
        self.keeps_time: bool = False
        """Whether a body that runs again after a kill has come when it would have come without it."""
        self._due: dict[tuple[int, str, int], float] = {}
        self.outcomes: Outcomes | None = None
        """What bodies came to before, and now; None: every body runs."""
        self.stops: dict[int, dict[int, Stop]] | None = None
        """Where each handler has come to with how many results, by run; None: nobody wants to know."""
        self.asked: dict[tuple[int, str], Step[Any]] = {}
        """Every step that was asked for, by run and hash."""
        self.sent: list[tuple[int | None, Event]] = []
        """The events that runs sent, with the run."""
        self.logged: list[logging.LogRecord] = []
        self._looked_at = 0
        self._witness = Witness(self.functions)
        for event in events:
            if isinstance(event, At):
                self._send_at(event.when, event.event)
            elif not isinstance(event, Event):
                raise ConfigError(f"events= takes ig.Event and testing.at(...), not {type(event).__name__}")

    # Lifetime.

    async def __aenter__(self) -> Self:
        for app in self.apps:
            if app.engine is not None:
                raise EngineError(f"app {app.id!r} is run by another engine in this process")
        self.threads: Threads = Threads(spare=_threads, blocks_s=_BLOCKS_S)
        witnesses.append(self._witness)
        self._catcher = _Catcher(self.logged)
        self._levels = [(app.logger, app.logger.level) for app in self.apps]
        for app in self.apps:
            app.engine = self
            app.logger.addHandler(self._catcher)
            if app.logger.level == logging.NOTSET:
                app.logger.setLevel(logging.DEBUG)
        return self

    async def __aexit__(self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None) -> None:
        if exc is not None and not self.store.is_cut:
            self.results()  # for the witness
        try:
            for handled in list(self._live.values()):
                await handled.let_go()
        finally:
            self.threads.close()
            for app in self.apps:
                app.engine = None
            for logger, level in self._levels:
                logger.removeHandler(self._catcher)
                logger.setLevel(level)
        if exc is None and not self.allow_unused:
            self.check_used()

    # What tests call.

    def now(self) -> float:
        """Give the time, in epoch seconds."""
        return self._clock.now()

    @property
    def time(self) -> datetime:
        """The time, in UTC."""
        return datetime.fromtimestamp(self._clock.now(), UTC)

    async def send(self, *events: Event, at: Duration | datetime | None = None) -> list[str]:
        """Send events; gives their ids. `at` is a moment, or a duration from now: they are sent when it comes, and nothing is given.

        Raises what the embedded engine raises: EngineError for a reserved name, TooLarge, NotJSON.
        """
        if at is not None:
            for event in events:
                self._send_at(at, event)
            return []
        return self.send_from_thread(events)

    def send_from_thread(self, events: Sequence[Event]) -> list[str]:
        """Send events from any thread; gives their ids."""
        sent = [checked_event(event) for event in events]
        effects = self.write(
            lambda tx: self.store.transitions.receive(tx, sent), f"the event {' and '.join(event.name for event in events)}"
        )
        ids = [one.id for one in effects.result]
        if self.director.duplicates(f"the event {events[0].name}"):
            again = [
                checked_event(Event(event.name, event.data, id=id, ts=event.ts, meta=event.meta))
                for event, id in zip(events, ids, strict=True)
            ]
            self.write(lambda tx: self.store.transitions.receive(tx, again), "an event a second time")
        attempt = current_attempt()
        if attempt is not None:
            run = self.store.tables.run_by_id(attempt.run_id)
            self.note_sent(None if run is None else run["run"], events, ids)
        return ids

    async def note(self, run_id: str, text: str) -> None:
        """Note something in the timeline of a run, as `ig.Engine` does: the score of a scorer. Raises RunNotFound."""
        if run_id != PARENT:
            self.write(lambda tx: self.store.transitions.note(tx, run_id, text), "a note")

    def play(self, function: Function, event: Any = None) -> Playing:
        """Queue a run of one function, whatever its triggers: the run's `finish` and `run_until` move it, as does `settle`.

        `event` is an `ig.Event`, or the event's data where a trigger tells its name; a deferred function's data; the error that a failure handler
        handles. Raises ConfigError for a function of another app, SchemaError for data that does not fit.
        """
        if self.functions.get(function.slug) is not function:
            raise ConfigError(f"{function!r} is no function of this engine's apps")
        kind, starts = starting(function, event, self.now())
        number = self._begin(function, starts, kind)
        self.played.add(number)
        return Playing(self, number, self.run_id(number))

    def _begin(self, function: Function, event: Event, kind: str) -> int:
        """Queue a run of one function, whatever its triggers; gives its number."""
        sent = checked_event(event) if not event.name.startswith("inngest/") else None
        data = sent.data if sent is not None else _encoded(event)

        def change(tx: Tables) -> Effects:
            now = self.now()
            id = event.id or self._new_id(now)
            ts = event.ts if event.ts is not None else int(now * 1000)
            meta = None if event.meta is None else dict(event.meta)
            whole = Event(event.name, event.data, id=id, ts=ts, meta=meta)
            seq = tx.add_event(id, event.name, data, ts, None if sent is None else sent.meta, now, None)
            if seq is None:
                raise ConfigError(f"an event with the id {id!r} was sent before: it starts nothing a second time")
            run_id = self._new_id(now)
            run = tx.add_run(run_id, function.slug, seq, kind, seq, None, None, now)
            assert run is not None
            record = Record(run=run, id=run_id, function=function.slug, kind=kind, origin=seq, parent=None, parent_hash=None, event=whole)
            return Effects(run, [Queued(record, None)])

        number: int = self.write(change, f"the event {event.name}").result
        return number

    async def settle(self, until: Duration | datetime | None = None) -> None:
        """Let everything happen that can, or, with `until` (a duration from now, or a moment), all that happens until then."""
        limit = None if until is None else self._moment(until)
        await self.move(lambda: False, limit)
        if limit is not None and limit > self.now():
            self._clock.advance_to(limit)

    async def cancel(self, run_id: str) -> None:
        """Cancel a run, as `ig.Engine` does. Raises RunNotFound."""
        self.write(lambda tx: self.store.transitions.cancel(tx, run_id), "a cancellation")
        await self._let_leave()

    async def retry(self, run_id: str) -> None:
        """Let a failed or blocked run go on, as `ig.Engine` does. Raises RunNotFound, EngineError for a run in another state."""
        self.write(lambda tx: self.store.transitions.retry(tx, run_id), "a retry")

    def results(self) -> dict[str, Result]:
        """Give what each run has done so far, by run id, in the order in which they were made."""
        under_way = {run: handled.under_way() for run, handled in self._live.items()}
        snapshot = Snapshot(Rows(self.store.tables), self.functions)
        made = results(self.store.runs(), self.asked, under_way, self.taken_back, self.sent, self.logged, snapshot)
        self._witness.results = made
        return made

    def run_id(self, run: int) -> str:
        """Give the id of the run with a number."""
        return self.store.run_id(run)

    def check_used(self) -> None:
        """Raise NotUsed if a stand-in was given for a step that was never asked for, or an event that nothing waited for."""
        unused = self.stand_ins.unused()
        if unused:
            asked = list(dict.fromkeys(step.id for step in self.asked.values()))
            raise NotUsed(
                f"no step {unused[0]!r} was asked for, and steps= has a stand-in for it; asked for were: {', '.join(asked) or 'none'}"
                " (allow_unused=True if that is meant)"
            )
        unknown = self.stand_ins.unknown_functions(self.functions.values())
        if unknown:
            raise NotUsed(
                f"functions= has a stand-in for {unknown[0]!r}: no function of the apps has that id, and none with it was invoked; there are:"
                f" {', '.join(self.functions)} (allow_unused=True if that is meant)"
            )
        if self._wanted:
            raise NotUsed(
                f"the event {self._wanted[0].name!r} was given, and no step waited for it: its name or what `match` looks at may be wrong;"
                " testing.at(time, event) sends it whether or not something waits (allow_unused=True if that is meant)"
            )

    # The loop.

    async def move(self, done: Callable[[], bool], limit: float | None = None) -> bool:
        """Let things happen until `done` says so, or nothing is left to happen until `limit` (epoch seconds). Says which."""
        patience = self._patience
        patience.open()
        moves = True
        try:
            while moves and not done():
                moves = await self._happen(limit)
            if patience.is_covered:  # the test may leave a scope of its own now, which is around that one
                await self._step_aside()
        except BaseException as error:
            for handled in list(self._live.values()):
                await handled.let_go()  # before the scope: what they hold may have one
            told = patience.failed(error)
            if told is error:
                raise
            raise told from None
        patience.close()
        return moves

    async def _happen(self, limit: float | None) -> bool:
        self._happened += 1
        if self._happened > self.max_happenings:
            raise CheckFailed(
                f"after {self.max_happenings:,} happenings it still goes on, and it is {self.time:%Y-%m-%d %H:%M} there: a function that starts"
                " itself again, or a loop that sleeps? Give settle(until=...) an end, or raise max_happenings"
            )
        self._happening = True
        try:
            return await self._next(limit)
        except Cut:
            self._happening = False
            await self.kill()
            return True
        finally:
            self._happening = False

    async def _next(self, limit: float | None) -> bool:
        await self._let_leave()
        if self._drives:
            await self._drive(self._drives.popleft())
            return True
        if self._send_wanted():
            return True
        due = self._next_due()
        may_pass = due is not None and (limit is None or due <= limit)
        if self._bodies:
            picked = self.director.pick(len(self._bodies) + may_pass)
            if picked < len(self._bodies):
                handled, op = self._bodies[picked]
                await self._make_room(handled)
                if handled.aside:
                    await self._drive(handled)
                at = [place for place, (one, other) in enumerate(self._bodies) if one is handled and other.hash == op.hash]
                if not at:
                    return True
                handled, op = self._bodies.pop(at[0])
                self._patience.begin(
                    f"the body of {describe(op.step)} has not come back; bodies run one after the other in a test, so none may wait for another"
                )
                await handled.body(op)
                self._check_lost()
                return True
        if due is None or not may_pass:
            return False
        self._pass(due)
        return True

    async def _drive(self, handled: Handled) -> None:
        await self._make_room(handled)
        self._patience.begin(f"the handler of {handled.name} is still in an await of its own, between its steps")
        try:
            await handled.drive()
        finally:
            self._holder = handled if handled.holds else None
        self._check_lost()

    def _check_lost(self) -> None:
        """Raise CheckFailed for a defer that was made and neither yielded nor submitted: production only logs it."""
        logged, self._looked_at = self.logged[self._looked_at :], len(self.logged)
        lost = [one for one in logged if "lost_at" in one.__dict__]
        if lost and self.always_replay:
            where = lost[0].__dict__["lost_at"]
            raise CheckFailed(f"{lost[0].getMessage()}, at {where}", where=where)

    async def _make_room(self, handled: Handled) -> None:
        """Let the run that moved last close what it holds, if another one moves now: all runs of a test share its task and its cancel scopes."""
        if self._holder is not handled:
            await self._step_aside()

    async def _step_aside(self) -> None:
        """Let the run that moved last close what it holds. It is entered anew when the run moves on, as in another process."""
        holder, self._holder = self._holder, None
        if holder is not None and holder.holds:
            self._patience.begin(f"what {holder.name} has entered with ctx.using is still being closed")
            await holder.step_aside()

    def _next_due(self) -> float | None:
        first = self.store.tables.first_due()
        times = [one[0][0] for one in (self._later, self._at) if one]
        return min([*times, first] if first is not None else times, default=None)

    def _pass(self, due: float) -> None:
        """Let time pass until `due`, and what is due then happen: what the outside sends first, then what has taken its time, then timers."""
        now = max(due, self.now())
        self._clock.advance_to(now)
        if self._at and self._at[0][0] <= now:
            self.send_from_thread([heapq.heappop(self._at)[2]])
        elif self._later and self._later[0][0] <= now:
            heapq.heappop(self._later)[2]()
        else:
            runs = self.store.tables.due_runs(now)
            self.write(lambda tx: self.store.transitions.fire(tx, runs), "that a time has come")

    def _send_wanted(self) -> bool:
        """Send one of the given events that a step waits for."""
        for place, event in enumerate(self._wanted):
            value = {"name": event.name, "data": dict(event.data), "id": event.id, "ts": event.ts}
            for path in self.store.tables.awaited_paths(event.name):
                key = match_key(value, path) if path else ""
                if key is not None and self.store.tables.waits(event.name, path, key):
                    del self._wanted[place]
                    self.send_from_thread([event])
                    return True
        return False

    async def kill(self) -> None:
        """End the process, so to say: all that is in memory is gone, and what the tables hold goes on."""
        self.store.is_cut = True
        for handled in list(self._live.values()):
            await handled.let_go()
        self._live.clear()
        self._drives.clear()
        self._bodies.clear()
        self._later.clear()
        self.store.go_on()
        self.write(self.store.transitions.open, "nothing")

    async def _let_leave(self) -> None:
        while self._leaving:
            await self._leaving.pop().let_go()

    # What handled runs call.

    def write(self, change: Callable[[Tables], Effects], what: str) -> Effects:
        """Make a change, and act on what follows from it. `what` says what is written."""
        effects = self.store.change(change, what)
        if self._happening and self.director.kills(what):
            self.store.is_cut = True
            raise Cut
        for effect in effects.then:
            match effect:
                case Queued(record, _):
                    self._take_up(record.run)
                case Reopened(run):
                    self._take_up(run)
                case Resolved(run, hash, memo):
                    handled = self._live.get(run)
                    if handled is not None and (handled.execution is not None or handled.aside):
                        handled.deliver(hash, memo)
                        if self.director.duplicates("the end of a wait"):
                            handled.deliver(hash, memo)
                        self.wants_drive(handled)
                    else:
                        self._take_up(run)
                case Over(run=run, status=status):
                    handled = self._live.get(run)
                    if handled is not None and status == "cancelled":
                        handled.over = True
                        self._leaving.append(handled)
                case Paused():
                    pass
        return effects

    def _take_up(self, run: int) -> None:
        if run not in self._live:
            handled = self._live[run] = Handled(self, run)
            self.wants_drive(handled)

    def wants_drive(self, handled: Handled) -> None:
        """Note that a run has something to do."""
        if handled not in self._drives:
            self._drives.append(handled)

    def has_body(self, handled: Handled, op: Op) -> None:
        """Note that a step's body is to be run."""
        self._bodies.append((handled, op))

    def renew_body(self, handled: Handled, op: Op) -> None:
        """Note that a step was made anew, whose body is to be run or under way."""
        self._bodies = [(one, op if one is handled and old.hash == op.hash else old) for one, old in self._bodies]

    def drop_body(self, handled: Handled, hash: str) -> None:
        """Note that a step's body need not be run any more."""
        self._bodies = [(one, op) for one, op in self._bodies if one is not handled or op.hash != hash]

    def later(self, takes: float, then: Callable[[], None]) -> None:
        """Let something happen in `takes` seconds, at once if 0. It is lost when the process is killed."""
        if takes <= 0:
            then()
            return
        self._counted += 1
        heapq.heappush(self._later, (self.now() + takes, self._counted, then))

    def time_left(self, run: int, hash: str, attempt: int, takes: float) -> float:
        """Give how long an attempt that takes so long has still to go: less where a kill came in between, and the time is kept."""
        due = self._due.setdefault((run, hash, attempt), self.now() + takes)
        return max(0.0, due - self.now()) if self.keeps_time else takes

    def asked_for(self, handled: Handled, op: Op) -> None:
        """Note that a step has come to the frontier."""
        self.asked[handled.run, op.hash] = op.step
        for watch in self._watching:
            watch(handled, op)

    def stopped(self, handled: Handled, stop: Callable[[], Stop]) -> None:
        """Note where a handler has come to, where somebody wants to know."""
        if self.stops is not None:
            at = stop()
            self.stops.setdefault(handled.run, {})[at.results] = at

    def note_sent(self, run: int | None, events: Sequence[Event], ids: Sequence[str]) -> None:
        """Note that a run has sent events."""
        self.sent += [
            (run, Event(event.name, event.data, id=id, ts=event.ts, meta=event.meta)) for event, id in zip(events, ids, strict=True)
        ]

    def forget(self, handled: Handled) -> None:
        """Note that a run has left memory."""
        if self._live.get(handled.run) is handled:
            del self._live[handled.run]
        self._bodies = [(one, op) for one, op in self._bodies if one is not handled]
        if handled in self._drives:
            self._drives.remove(handled)

    def watch(self, watch: Callable[[Handled, Op], None]) -> Callable[[], None]:
        """Call `watch` for each step that comes to the frontier; gives a function that ends this."""
        self._watching.append(watch)
        return lambda: self._watching.remove(watch)

    def _new_id(self, now: float) -> str:
        self._ids += 1
        return nth_id(now, self._seed, self._ids)

    def _moment(self, when: Duration | datetime) -> float:
        return moment(when) if isinstance(when, datetime) else self.now() + seconds(when)

    def _send_at(self, when: Duration | datetime, event: Event) -> None:
        checked_event(event)
        self._counted += 1
        heapq.heappush(self._at, (self._moment(when), self._counted, event))


def _encoded(event: Event) -> bytes:
    from inngest_gen import jsonvalue

    return jsonvalue.encode(dict(event.data), f"the data of event {event.name!r}")


class _Catcher(logging.Handler):
    """Keeps what is logged."""

    def __init__(self, records: list[logging.LogRecord]) -> None:
        super().__init__()
        self._records = records

    def emit(self, record: logging.LogRecord) -> None:
        self._records.append(record)
