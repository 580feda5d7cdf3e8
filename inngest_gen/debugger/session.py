"""Session: moves over a recorded run, forwards and backwards, and says where it stands.

There is one driver, moved one intent at a time (replay.py); going back is another replay of a shorter prefix, so a stop costs a replay of what
comes before it and no memory. Moves are awaited, in any loop and any task, one at a time. Promises: no step body runs but by `run_live`, and
nothing reaches an engine or a server. Refuses: to move while a move is under way.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Final, Self

from inngest_gen import jsonvalue
from inngest_gen.app.app import App
from inngest_gen.app.function import Function
from inngest_gen.calls.failure import Failure
from inngest_gen.debugger import looks, scene, source
from inngest_gen.debugger.breakpoint import Breakpoint, Hits, checked
from inngest_gen.debugger.capture import Passed
from inngest_gen.debugger.code import CodeState, code_state
from inngest_gen.debugger.evaluation import Evaluation, evaluate, truth
from inngest_gen.debugger.frames import LiveFrame, frame_of, stack
from inngest_gen.debugger.history import RECORDED, Edit, History, recorded
from inngest_gen.debugger.live import run_step
from inngest_gen.debugger.looks import LastChange
from inngest_gen.debugger.meant import failure_meant, hash_meant, step_meant
from inngest_gen.debugger.reloading import reloaded
from inngest_gen.debugger.replay import Replay, UsingHook
from inngest_gen.debugger.stop import Change, Mark, Reason, Stop, Unstable
from inngest_gen.debugger.target import Target, Test, target
from inngest_gen.debugger.variables import Variable, found, inside, listed
from inngest_gen.debugger.verdict import Verdict, check, function_of
from inngest_gen.debugger.walker import END, Walker
from inngest_gen.errors import InngestGenError, MisuseError
from inngest_gen.recording.recording import Recording

_NOTHING: Final[Any] = object()


class Session:
    """A debugging session over a recording and the app whose code is replayed.

    `app` is an App, which has the recording's function, or a Function. With `live` steps past the frontier may be run for real, one at a time, by
    `run_live`. `using` gives what stands for a resource of `ctx.using` (it gets the context manager); by default that is a stub. Raises MisuseError
    if the app has no such function. An async context manager, which goes to the start; `close` drops the replay.
    """

    def __init__(self, recording: Recording, app: App | Function, *, live: bool = False, using: UsingHook | None = None) -> None:
        self.recording: Recording = recording
        self.live: bool = live
        self.histories: dict[str, History] = {RECORDED: recorded(recording)}
        """Every history by its name; "recorded" is the recording's."""
        self.breakpoints: dict[int, Breakpoint] = {}
        self._app = app
        self._walker = Walker(self.histories[RECORDED], function_of(recording, app), using, self._first_notes)
        self._busy = False
        self._breakpoint_number = 0
        self._names = 0
        self._attempts: dict[tuple[str, str], int] = {}
        self._evaluated: list[object] = []
        self._keep_source()

    # What it is.

    @property
    def stop(self) -> Stop:
        """Where it stands. Raises MisuseError before the first move."""
        stop = self._walker.stop
        if stop is None:
            raise MisuseError("the session has not begun: `await session.start()`")
        return stop

    @property
    def function(self) -> Function:
        """The function whose handler is replayed; another object after `reload`."""
        return self._walker.function

    @property
    def history(self) -> History:
        """The history that is replayed."""
        return self._walker.history

    @property
    def code(self) -> CodeState:
        """Whether the handler's code is that which made the recording: "recorded", "changed", or "unknown"."""
        return code_state(self.recording, self.function)

    @property
    def reached(self) -> int:
        """How many steps the replay that was moved last has asked for: the progress of a move that takes long. Other threads may ask."""
        return self._walker.reached

    def close(self) -> None:
        """Drop the replay, without running anything of it. The next move makes another."""
        self._walker.close()

    async def __aenter__(self) -> Self:
        """Go to the start."""
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close."""
        self.close()

    # Moves.

    async def start(self) -> Stop:
        """Go to stop 0, before the handler's first line."""
        with self._moving() as walker:
            return await walker.to(0, "start" if walker.stop is None else "restart", anew=True)

    async def step(self, count: int = 1) -> Stop:
        """Go `count` intents forward, into sub-flows too."""
        with self._moving() as walker:
            return await walker.to(walker.number + max(count, 0), "step")

    async def step_over(self) -> Stop:
        """Go to the next stop in this flow or, when it has ended, in the one that waits for it: not into sub-flows, nor to other branches.

        A breakpoint on the way stops it.
        """
        with self._moving() as walker:
            return await self._to_flow(walker, await self._flows(), deeper=False)

    async def step_in(self) -> Stop:
        """Go to the next stop in this flow or in one that it yields: into a sub-flow, but not to other branches.

        A breakpoint on the way stops it.
        """
        with self._moving() as walker:
            return await self._to_flow(walker, await self._flows(), deeper=True)

    async def step_out(self) -> Stop:
        """Go on until this flow has ended: to the next stop in the flow that waits for it; from the handler itself to the end.

        A breakpoint on the way stops it.
        """
        with self._moving() as walker:
            return await self._to_flow(walker, (await self._flows())[1:], deeper=False)

    async def back(self, count: int = 1) -> Stop:
        """Go `count` stops back, to the start at most."""
        with self._moving() as walker:
            return await walker.back_from(walker.number, max(count, 0))

    async def goto(self, number: int) -> Stop:
        """Go to a stop by its number, or to the last where there are fewer."""
        with self._moving() as walker:
            return await walker.to(number, "goto")

    async def finish(self) -> Stop:
        """Go to the last stop, past all breakpoints."""
        with self._moving() as walker:
            return await walker.to(END, "end")

    async def run_to(self, where: str | Test, *, backwards: bool = False) -> Stop:
        """Go to the next (or the last) stop that is at a target, else to the end (or the start); `stop.reason` says which.

        A target is a step's id, "file.py:41", a kind such as "step.sleep", "function:quote", "error", "frontier", "divergence", "end", "if
        EXPRESSION", or a function of a Mark. Raises MisuseError for what is none.
        """
        wanted = self._target(where)
        with self._moving() as walker:
            hits: list[int] = []

            def visit(replay: Replay, mark: Mark) -> bool:
                if wanted.matches(mark, lambda expression: truth(expression, stack(replay))):
                    hits.append(mark.number)
                    return not backwards
                return False

            marks = walker.known_trail()
            if marks is not None and not wanted.looks_inside:
                number = walker.number
                passed = [
                    mark.number for mark in marks if (mark.number < number) == backwards and mark.number != number and wanted.is_at(mark)
                ]
                hits = passed[-1:] if backwards else passed
            elif backwards:
                await walker.scan(0, visit, until=walker.number)
            else:
                await walker.scan(walker.number, visit)
            if backwards:
                return await walker.to(hits[-1], "run to") if hits else await walker.to(0, "start")
            return await walker.to(hits[0], "run to") if hits else await walker.to(END, "end")

    async def continue_(self) -> Stop:
        """Go on to the next breakpoint, or to the last stop."""
        with self._moving() as walker:
            return await self._go_on(walker, lambda _, __: False, "end")

    async def reverse_continue(self) -> Stop:
        """Go back to the last breakpoint before this stop, or to the start."""
        with self._moving() as walker:
            hits = Hits(self.breakpoints)
            found: list[tuple[int, list[int]]] = []

            def visit(replay: Replay, mark: Mark) -> bool:
                hit, _ = hits.at(replay, mark)
                if hit:
                    found[:] = [(mark.number, hit)]
                return False

            await walker.scan(0, visit, until=walker.number)
            if found:
                return await walker.to(found[0][0], "breakpoint", hit=tuple(found[0][1]))
            return await walker.to(0, "start")

    # Breakpoints.

    def break_at(self, where: str | Test, *, condition: str | None = None, hits: str | None = None, log: str | None = None) -> Breakpoint:
        """Set a breakpoint at a target (see `run_to`); the others are as in Breakpoint. Raises MisuseError for what is none."""
        number = self._breakpoint_number + 1
        made = checked(Breakpoint(id=number, target=self._target(where), condition=condition, hits=hits, log=log))
        self._breakpoint_number = number
        self.breakpoints[number] = made
        return made

    def clear(self, id: int | None = None) -> None:
        """Take a breakpoint away, or all of them. Raises MisuseError if there is none with that id."""
        if id is None:
            self.breakpoints.clear()
        elif self.breakpoints.pop(id, None) is None:
            raise MisuseError(f"there is no breakpoint {id}")

    # Looking.

    def variables(
        self, frame: int | None = None, path: Sequence[int] = (), *, start: int = 0, count: int | None = None
    ) -> tuple[Variable, ...]:
        """List the locals of a frame (None: the innermost), or at a path what is inside one of them; runs nothing of the user's.

        `path` is that of a Variable. Raises MisuseError where there is no such frame or value.
        """
        live = self._frame(frame)
        values = live.values()
        if not path:
            return listed(values)[start : None if count is None else start + count]
        first = path[0]
        try:
            value = found(list(values.values())[first] if first >= 0 else self._evaluated[-first - 1], path[1:])
        except LookupError:
            raise MisuseError(f"there is no value at {list(path)} in frame {live.id}") from None
        return inside(value, tuple(path), start, count)

    def result(self, step: str) -> Any:
        """Give the whole result of a step in this history, as JSON values; None where it has none.

        `step` is its hash or its id. Raises MisuseError where no recorded step has that id, or more than one.
        """
        data = self.history.data(hash_meant(self.history, step))
        return None if data is None else jsonvalue.decode(data)

    def evaluate(self, expression: str, frame: int | None = None) -> Evaluation:
        """Evaluate an expression in a frame (None: the innermost). This runs code: what it changes is gone with the next move.

        An error of the expression is part of the Evaluation; what is inside its value can be listed by `variables` until the next move. Raises
        MisuseError where there is no such frame.
        """
        live = self._frame(frame)
        self._walker.touched = True
        return evaluate(expression, live, self._evaluated)

    def source(self, file: str) -> list[str]:
        """Give the lines of a source file, that of the handler as its code was loaded; none where it cannot be read."""
        return source.lines(file)

    async def last_change(self, name: str, frame: int | None = None) -> LastChange | None:
        """Tell at which stop a local of a frame (None: the innermost) last became what it is; None where there was never such a local.

        Raises MisuseError where there is no such frame.
        """
        with self._moving() as walker:
            await walker.current()
            id = self._frame(frame).id
            if id < 0:
                raise MisuseError("the frames of an error were never stopped at: ask at a stop before it")
            return await looks.last_change(walker, id, name)

    async def changes_since(self, number: int) -> tuple[Change, ...]:
        """Tell which locals of the stack are not as they were at another stop."""
        with self._moving() as walker:
            return await looks.changes_since(walker, number)

    async def trail(self) -> tuple[Mark, ...]:
        """List all stops of this history in a line each."""
        with self._moving() as walker:
            return await walker.trail()

    async def unstable(self) -> tuple[Unstable, ...]:
        """Replay the history twice and tell what is not the same: locals, and the first intent."""
        with self._moving() as walker:
            return await looks.unstable(walker)

    # What if.

    async def replace(
        self,
        step: str | None = None,
        *,
        result: object = _NOTHING,
        error: Failure | BaseException | str | None = None,
        name: str | None = None,
    ) -> Stop:
        """Give a step another result, or an error, and stand at its yield. A step that has an outcome makes a new history; at the frontier it gets
        one.

        `step` is an id or a hash (None: the step of this stop); `error` a Failure, an exception, or text such as "ValueError: too much". `name` names
        the history. Raises MisuseError for an unknown step, for one without an outcome that is not asked for here, and where not one of `result` and
        `error` is given; NotJSON for a result that is none.
        """
        if (result is _NOTHING) == (error is None):
            raise MisuseError("give either a result or an error")
        with self._moving() as walker:
            hash, id = step_meant(await walker.current(), self.stop, step)
            known = self.history.has(hash)
            data = None if result is _NOTHING else jsonvalue.encode(result, f"the result of step {id!r}")
            failure = None if error is None else failure_meant(error)
            edit = Edit(hash=hash, id=id, how="replaced" if known else "injected", data=data, error=failure)
            return await self._edited(walker, edit, "edited", name)

    async def match_by_id(self) -> Stop:
        """Go on with a history whose steps are matched by their ids alone, as an engine does where the code has changed: past a divergence."""
        with self._moving() as walker:
            self._adopt(self.history.by_id(self._name("by id")))
            return await walker.to(walker.number, "edited", anew=True)

    async def switch(self, name: str) -> Stop:
        """Go to another history, to the stop of the same number or its last. Raises MisuseError if there is none of that name."""
        history = self.histories.get(name)
        if history is None:
            raise MisuseError(f"there is no history {name!r}; there are: {', '.join(self.histories)}")
        with self._moving() as walker:
            walker.history = history
            return await walker.to(walker.number, "switched", anew=True)

    # Live.

    async def run_live(self, step: str | None = None, *, name: str | None = None) -> Stop:
        """Run one attempt of a step at the frontier for real, in this process, and go on with what came of it in a history of its own.

        A sleep passes at once. The original run, its engine and its server know nothing of it; what the step's function does, it does. A failed
        attempt that has further ones leaves the step where it is. Raises MisuseError unless the session was made with `live=True`, and for what
        cannot be done without an engine: waits, invokes, sends, requests; `replace` gives those an outcome.
        """
        if not self.live:
            raise MisuseError("nothing is run for real unless the session is made for it: Session(..., live=True), or --live")
        with self._moving() as walker:
            replay = await walker.current()
            hash, id = step_meant(replay, self.stop, step)
            leaf = replay.execution.pending.get(hash)
            if leaf is None or self.history.has(hash):
                raise MisuseError(f"step {id!r} is not at the frontier here: go to where it is asked for")
            key = (self.history.name, hash)
            number = self._attempts.get(key, 0)
            done = await run_step(replay, leaf.op, number, self.function)
            if done.outcome is None:
                self._attempts[key] = number + 1
                stop = replace(self.stop, reason="live")
            else:
                stop = await self._edited(walker, done.outcome, "live", name)
            walker.stop = replace(stop, notes=(*stop.notes, *done.notes), output=(*stop.output, *done.output))
            return walker.stop

    # Edited code.

    async def reload(self) -> Verdict:
        """Load the handler's code anew and replay the same history on it, up to this stop or the first divergence: `session.stop` tells.

        Gives the verdict over the whole recording. What the new code raises while it is loaded is raised here, and then the old code stays in use.
        Raises MisuseError for code that cannot be loaded again (a handler of `__main__`), or that has no such function any more.
        """
        with self._moving() as walker:
            app = reloaded(self._app, self.function)
            function = function_of(self.recording, app)
            walker.close()
            self._app, walker.function = app, function
            walker.forget()
            self._keep_source()
            verdict = await check(self.recording, function)
            await walker.to(walker.number, "reloaded", anew=True)
            return verdict

    async def check(self) -> Verdict:
        """Tell whether the whole recording replays on the code as it is."""
        with self._moving():
            return await check(self.recording, self.function)

    # How it moves.

    @contextlib.contextmanager
    def _moving(self) -> Iterator[Walker]:
        if self._busy:
            raise MisuseError("a move is under way: await it before the next")
        self._busy = True
        self._evaluated.clear()
        history, number = self._walker.history, self._walker.number
        try:
            yield self._walker
        except InngestGenError:  # something was refused: where nothing has moved yet, the session can still be looked into
            replay = self._walker.replay
            if replay is None or replay.number != number or self._walker.history is not history:
                self.close()
            raise
        except BaseException:
            self.close()  # whatever went wrong, the next move replays from the start
            raise
        finally:
            self._busy = False

    async def _flows(self) -> list[int]:
        """Give the numbers of the current flow and of those that wait for it, innermost first."""
        return scene.ancestors(await self._walker.current())

    async def _to_flow(self, walker: Walker, flows: list[int], *, deeper: bool) -> Stop:
        """Go to the next stop of one of these flows; with `deeper` or of one that the first of them has yielded."""

        def wanted(replay: Replay, mark: Mark) -> bool:
            # A branch that begins is an intent of the flow that yielded the group, but that flow goes on only when the group has settled.
            own = mark.flow in flows and not (mark.in_group and mark.flow != flows[0])
            return mark.kind is not None and (own or (deeper and bool(flows) and flows[0] in scene.ancestors(replay)))

        return await self._go_on(walker, wanted, "step")

    async def _go_on(self, walker: Walker, wanted: Callable[[Replay, Mark], bool], reason: Reason) -> Stop:
        """Go on to the next stop that is wanted or has a breakpoint, or to the last."""
        here = walker.number
        hits = Hits(self.breakpoints)
        logged: list[str] = []
        passed = Passed()
        found: list[tuple[int, tuple[int, ...]]] = []

        def visit(replay: Replay, mark: Mark) -> bool:
            hit, said = hits.at(replay, mark)
            if mark.number <= here:
                return False
            logged.extend(said)
            if hit or wanted(replay, mark):
                found.append((mark.number, tuple(hit)))
            elif not replay.is_last:
                passed.take(replay.tape.output())
            return bool(found)

        await walker.scan(0 if hits.count_from_start else here, visit)
        number, hit = found[0] if found else (END, ())
        stop = await walker.to(number, "breakpoint" if hit else reason, hit=hit, logged=tuple(logged))
        walker.stop = replace(stop, passed=passed.output())
        return walker.stop

    def _target(self, where: str | Test) -> Target:
        stop = self._walker.stop
        return target(where, None if stop is None or stop.at is None else stop.at.file)

    def _frame(self, id: int | None) -> LiveFrame:
        replay = self._walker.replay
        live = None if replay is None else next(iter(stack(replay)), None) if id is None else frame_of(replay, id)
        if live is None:
            raise MisuseError("there is no frame here" if id is None else f"there is no frame {id} here")
        return live

    # Histories.

    async def _edited(self, walker: Walker, edit: Edit, reason: Reason, name: str | None) -> Stop:
        """Go on with an edit, at the yield of its step where that is passed."""
        here = walker.number
        at = next((mark.number for mark in await walker.trail() if mark.hash == edit.hash and mark.kind is not None), here)
        history = self.history
        if name is None:
            # What is put in past the frontier goes on with the history that is edited already; all else makes another.
            goes_on = edit.how != "replaced" and bool(history.edits)
            name = history.name if goes_on else self._name("live" if edit.how == "live" else "what if")
        self._adopt(history.with_edit(edit, name))
        return await walker.to(min(here, at), reason, anew=True)

    def _name(self, kind: str) -> str:
        self._names += 1
        return f"{kind} {self._names}"

    def _adopt(self, history: History) -> None:
        self._walker.forget(history.name)
        self.histories[history.name] = self._walker.history = history

    def _first_notes(self) -> list[str]:
        notes: list[str] = []
        if self.code == "changed":
            notes.append("the handler's code is not that which made the recording")
        if self.recording.redacted:
            notes.append(f"values of the recording were redacted ({', '.join(self.recording.redacted)}): the handler may take another path")
        return notes

    def _keep_source(self) -> None:
        """Read the handler's source now: the file may be edited while the session goes on with the code that was loaded."""
        code = getattr(self.function.handler, "__code__", None)
        if code is not None:
            source.text(code.co_filename)
