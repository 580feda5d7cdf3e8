"""The driver: one run's handler, replayed against its record up to the frontier, one turn at a time.

Every shell uses it and none has a loop of its own: an engine takes a turn's new ops, brings their results with `resolve`, and takes the next
turn; a debugger takes turns of one yield. Promises: a memoized step costs no loop suspension; branches settle in recorded order; nothing of
ours passes through user code at a yield; `let_go` drops the frames without running them.
"""

from __future__ import annotations

import heapq
import inspect
import logging
import time
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from contextvars import Context, copy_context
from functools import partial
from types import AsyncGeneratorType
from typing import Any

import anyio
import anyio.lowlevel

from inngest_gen.calls.lazy import PriorDefers
from inngest_gen.calls.memo import Memo
from inngest_gen.codecs import result_decoder
from inngest_gen.driver import held, mistakes
from inngest_gen.driver.flow import (
    Cause,
    FlowNode,
    GroupNode,
    Leaf,
    branch_key,
    dismantle,
    flow_name,
    flow_of,
    forget_frames,
    join_path,
)
from inngest_gen.driver.history import History, Left, MemoOf
from inngest_gen.driver.lazy import LazyBuffer, OnMisuse
from inngest_gen.driver.results import decoded
from inngest_gen.driver.standing import Halted, Standing, stand
from inngest_gen.driver.trampoline import Finalizer, bounce
from inngest_gen.driver.tree import Tree
from inngest_gen.driver.turn import Diverged, Ended, Op, Planned, Raised, Returned, Turn
from inngest_gen.errors import DeferError, InngestGenError, MisuseError, NonRetriableError, StepError
from inngest_gen.ids import step_hash
from inngest_gen.intents.defer import Abort, Defer, current_sink
from inngest_gen.intents.done import Done
from inngest_gen.intents.group import Group
from inngest_gen.intents.http import AIInfer, Fetch
from inngest_gen.intents.intent import describe
from inngest_gen.intents.step import (
    AIWrap,
    Invoke,
    Run,
    SendEvent,
    SendSignal,
    Sleep,
    SleepUntil,
    Step,
    WaitForEvent,
    WaitForSignal,
)
from inngest_gen.intents.using import Using
from inngest_gen.loops import being_cancelled, scope_marker

_STEPS = frozenset({Run, Sleep, SleepUntil, WaitForEvent, WaitForSignal, SendEvent, SendSignal, Invoke, Fetch, AIInfer, AIWrap})
_DECODED = frozenset({Run, WaitForEvent, Invoke, WaitForSignal, Fetch, AIInfer, AIWrap})
_GIVE_WAY_S = 0.005
_CHECK_EVERY = 128
_UNLIMITED = 1 << 62
_NO_MEMO: Any = object()
_NO_MEMOS: dict[str, Any] = {}

Enter = Callable[[Using], Coroutine[Any, Any, Any]]
"""Enters what `ctx.using` names, and gives what the yield gives."""

_SOME_SCOPE = "cancel scope or task group"


class Execution:
    """One run being driven in this process.

    `memos` is the record in completion order, by hash; the execution takes it over, and its data goes to user code as it is. Its values are Memo, or
    with `memo_of` anything which that makes a Memo of when a step asks for it (a long record then costs no object a step). `prior_defers` maps the
    hashed ids of defers that the engine has to whether they can be aborted. With `strict` (the record was made by the same code) a different
    sequence ends the run as Diverged, and `planned` tells by position what the record holds of unfinished steps.
    `enter` enters what `ctx.using` names; a debugger passes a stub.
    """

    __slots__ = (  # as a dict of so many attributes is slow to make
        "__weakref__", "_begun", "_closing", "_deliverable", "_enter", "_finalizer", "_flows", "_fresh", "_halted", "_history", "_in_scope",
        "_live", "_log", "_mark", "_mark_now", "_moved", "_others", "_paused", "_plain", "_root", "_seen", "_shows", "_stack", "_thrown",
        "_transform", "_tree", "_was_woken", "attempt", "cause", "context", "delivered", "ended", "entered", "lazy", "made", "pending",
        "position", "repeats", "run_id", "shows_repeats",
    )  # fmt: skip

    def __init__(  # by position too: to make a call's one with so many keywords takes a microsecond longer
        self,
        run_id: str = "",
        memos: dict[str, Any] | None = None,
        memo_of: MemoOf | None = None,
        prior_defers: PriorDefers | None = None,
        strict: bool = False,
        planned: Mapping[int, Planned] | None = None,
        on_misuse: OnMisuse = "log",
        log: logging.Logger | None = None,
        enter: Enter | None = None,
        shows_repeats: bool = False,
    ) -> None:
        self.run_id: str = run_id
        self.shows_repeats: bool = shows_repeats
        """Whether what is logged at places that the handler has passed before is written all the same."""
        self.lazy: LazyBuffer = LazyBuffer({} if prior_defers is None else prior_defers, run_id, on_misuse, log)
        self.attempt: int = 0
        """The handler's attempt, as its context shows it. A shell that counts anew after progress says so here."""
        self.ended: Ended | None = None
        self.repeats: bool = False
        """Whether all of it has been passed before, also what the record doesn't tell: set where a replay is only looked at."""
        self.position: int = 0
        """How many steps have been yielded."""
        self._others: int = 0
        """How many other intents have come."""
        self._history = History({} if memos is None else memos, strict, planned or {}, memo_of)
        self._tree = Tree(self._history, self.lazy)
        self.made: list[Step[Any]] = self._tree.made
        """Steps that were made and not yet yielded; the context's step tools append to it."""
        self.pending: dict[str, Leaf] = self._tree.pending
        """The frontier, and while replaying the leaves whose memo is not delivered yet; by hash, in the order of their yields."""
        self._enter = enter
        self._transform: Callable[[Step[Any]], Awaitable[Exception | None]] | None = None
        """Changes a step before its id is hashed, or gives the error that is to be thrown at its yield (see HookedExecution)."""
        self._shows = False
        """Whether results are shown to somebody on their way to the handler."""
        self._log = self.lazy.log
        self._live = False
        if memos or planned:  # else there is nothing that it could have passed before
            self.lazy.passing = partial(_passing, weakref.ref(self))
        self.cause: Cause | None = None
        """What brought the handler to where it is, of what was delivered since branches have gone apart."""
        self.delivered: dict[str, type[Step[Any]]] = {}
        """The steps whose outcomes were delivered since then: their kinds by hash."""
        self._seen: dict[str, int] = {}
        self._deliverable: list[tuple[int, str]] = []
        self._moved: list[FlowNode] = []
        self._fresh: list[Leaf] = []
        self._root: FlowNode | None = None
        self._plain: Coroutine[Any, Any, Any] | None = None
        self._flows: dict[int, FlowNode] = {}
        self._begun = 0
        self._stack: AsyncExitStack | None = None
        self._closing: anyio.CancelScope | None = None
        """What bounds the closing of resources. It is entered before the first of them, as a scope must be around those that are inside it."""
        self.entered: list[Any] = []
        """What entering each resource of `ctx.using` gave, in order."""
        self._finalizer = Finalizer()
        self.context: Context = copy_context()
        self.context.run(current_sink.set, self.lazy)
        self._thrown: list[BaseException] = []
        """Errors thrown into the handler: their tracebacks hold frames, so they are cleared when the run is dropped."""
        self._was_woken = False
        self._paused = False
        self._in_scope = False
        self._halted: Halted | None = None
        """Where a budget ran out; never set without a budget, so that nothing is held longer than needed."""
        self._mark_now: Callable[[], object] = _unmarked
        self._mark: object = None

    # What shells call.

    def start(self, handler: object) -> None:
        """Give it the handler, called with its context: an async generator or, for a plain handler, a coroutine. Raises MisuseError else."""
        if handler.__class__ is AsyncGeneratorType or isinstance(handler, AsyncGenerator):
            root = FlowNode(handler, None, 0, "")
            self._root = root
            self._tree.ready.append((root, None, None))
        elif inspect.iscoroutine(handler):
            self._plain = handler
        else:
            raise MisuseError(f"a handler is an async generator function or an async function; this one gave {type(handler).__name__}")

    @property
    def replaying(self) -> bool:
        """Whether the handler is at a place which it has passed before, in this process or another: log lines there are repeats."""
        return self.repeats or self.passing

    @property
    def passing(self) -> bool:
        """The same, of what the record tells."""
        return not self._live and self._history.passed(self.position)

    def turn(self, budget: int = _UNLIMITED) -> Awaitable[Turn]:
        """Drive the handler until it ends or nothing more is memoized, at most `budget` intents: what is yielded, and a group's steps and groups.

        Must be awaited in one and the same task; after a pause any task may go on, unless the handler holds a cancel scope there.
        """
        return bounce(self._turn(Turn(), budget), self.context, self._finalizer, self._woken)

    def resolve(self, hash: str, memo: Memo) -> None:
        """Bring the result of a step. Results must be brought in the order of the record; those of dropped steps are ignored."""
        rank = self._history.add(hash, memo)
        if rank is not None and hash in self.pending:
            heapq.heappush(self._deliverable, (rank, hash))

    def drain(self) -> list[Any]:
        """Take the lazy operations that wait for the next message."""
        return self.lazy.drain()

    def held(self) -> list[tuple[str, str]]:
        """List what Python will close when the frames go: (description, "file:line")."""
        return [found for flow in self._flows.values() for found in held.closing(flow.gen, self._flows)]

    def flows(self) -> list[FlowNode]:
        """List the flows that are under way, outermost first."""
        return list(self._flows.values())

    def lost(self) -> frozenset[str]:
        """Give the hashes of the steps that lost a race, in this process or in the record."""
        return self._history.lost()

    @property
    def apart(self) -> bool:
        """Whether branches have gone apart: a group has begun of which one may go on while others wait, a race or a parallel with sub-flows in it."""
        return self._tree.apart

    def is_unused(self, hash: str) -> bool:
        """Say whether the record holds an outcome of a step which was not delivered yet."""
        return hash in self._history.memos

    def unused(self) -> list[str]:
        """List the hashes of recorded steps that the handler did not ask for."""
        return list(self._history.memos)

    async def let_go(self, grace: float | None = None) -> bool:
        """Close what `ctx.using` entered and drop the handler without running it. The execution is over afterwards.

        With `grace`, in seconds, closing is shielded from cancellation, and cut short after that time: then it says False. To be awaited by
        the task that took the turns, and in the cancel scope in which it took them: what is closed may hold scopes of its own.
        """
        try:
            return await self._close_resources(grace)
        finally:
            self.drop()

    @property
    def must_close(self) -> bool:
        """Whether `let_go` has something to await; else `drop` does all of it."""
        return self._stack is not None

    async def _close_resources(self, grace: float | None) -> bool:
        stack, self._stack = self._stack, None
        if stack is None:
            return True
        scope, self._closing = self._closing, None
        assert scope is not None
        if grace is not None:
            scope.shield = True
            scope.deadline = anyio.current_time() + grace
        try:
            await self._close("a resource", stack.aclose())
        except anyio.get_cancelled_exc_class():
            if not scope.cancel_called:
                raise
            return False  # anyio raises this where the task was cancelled before, from outside, even if the scope's time is over
        return not scope.cancelled_caught

    async def struck(self, cancelled: BaseException, grace: float) -> Exception:
        """Take a cancellation that has come to the run's task: close what `ctx.using` entered, as `let_go` does, and give the error of the attempt.

        It is that of a resource which had the task cancelled: of a task group, say, whose task has failed. A cancellation from outside is raised on.
        """
        stack, scope = self._stack, self._closing
        if stack is None or scope is None:
            raise cancelled
        scope.shield = True
        if anyio.current_effective_deadline() > float("-inf"):
            raise cancelled  # nothing inside that shield is cancelled
        self._stack = self._closing = None
        scope.deadline = anyio.current_time() + grace
        closing = stack.__aexit__(type(cancelled), cancelled, cancelled.__traceback__)
        try:
            await bounce(closing, self.context, self._finalizer, self._woken)
        except Exception as error:  # noqa: BLE001 - what failed inside
            return error
        return MisuseError(
            "a cancel scope or task group that ctx.using had entered was cancelled, and with it the handler: let a context manager of your own"
            " cancel it as it is left"
        )

    async def _close(self, what: str, closing: Coroutine[Any, Any, Any]) -> None:
        try:
            await bounce(closing, self.context, self._finalizer, self._woken)
        except Exception:  # noqa: BLE001 - what is closed may raise anything, and the run is over
            self._log.exception("closing %s of run %s failed", what, self.run_id)

    def drop(self) -> None:
        """Drop the handler without running it, leaving `ctx.using` resources to Python: for a loop that is over."""
        self._finalizer.quiet = True
        plain, self._plain = self._plain, None
        if plain is not None:
            plain.close()
        # Everything that can hold a frame goes, so that reference counting frees it now.
        root, self._root = self._root, None
        if root is not None:
            dismantle(root)
        for flow in self._flows.values():
            if flow is not root:
                flow.forget()
        if isinstance(self.ended, Raised):
            self._thrown.append(self.ended.error)
        if self._thrown:
            for error in self._thrown:
                forget_frames(error)
            self._thrown.clear()
        self._halted = None
        self._flows.clear()
        self._tree.clear()
        self._moved.clear()
        self._fresh.clear()
        self.entered.clear()
        self._closing = None
        self._history.memos.clear()

    @property
    def in_scope(self) -> bool:
        """Whether the last turn paused where the handler holds a cancel scope of its own: it must not be dropped there."""
        return self._in_scope

    def standing(self) -> Standing:
        """Tell where it stands: for a debugger, between turns."""
        return stand(self._root, self._halted, self._tree.ready)

    # The turn.

    async def _turn(self, turn: Turn, budget: int) -> Turn:
        if not self._in_scope:  # else the handler is about to leave that scope, and the mark from before counts
            if self._paused or self._mark_now is _unmarked:  # after a pause another task may go on
                self._mark_now = scope_marker()
            self._mark = self._mark_now()
        if self._plain is not None:
            await self._run_plain(self._plain)
        before = self.position + self._others
        try:
            turn.paused = await self._drive(budget)
            if not turn.paused and self.lazy.unsettled:
                await self._settle_lazy()
        except Left as stop:
            self.ended = Diverged(stop.error)
            stop.error.__traceback__ = None
        self._paused = turn.paused
        self._in_scope = turn.paused and self._pauses_in_scope()
        turn.yielded = self.position + self._others - before
        if not turn.paused:  # else the record may still tell that a step lost its race
            for leaf in self._fresh:
                if self.pending.get(leaf.op.hash) is leaf:
                    leaf.reported = True
                    turn.new.append(leaf.op)
            self._fresh.clear()
        if self._tree.dropped:
            turn.dropped, self._tree.dropped = self._tree.dropped, []
        turn.ended = self.ended
        return turn

    async def _settle_lazy(self) -> None:
        try:
            await self.lazy.settle()
        except InngestGenError as late:  # found too late to raise it where the defer was submitted
            self.ended = Raised(late, final=is_final(late))

    async def _drive(self, left: int) -> bool:
        """Resume flows and deliver results until nothing is left to do. Says whether the budget ran out."""
        deadline = time.perf_counter() + _GIVE_WAY_S
        while self.ended is None:
            if time.perf_counter() > deadline:
                deadline = await self._give_way()
            if self._tree.ready:
                if left <= 0:
                    return True
                entry = self._tree.ready.pop()
                if entry[0] is None:
                    left -= await self._start(entry[1], entry[2], left)
                else:
                    left, deadline = await self._advance(entry[0], entry[1], entry[2], left, deadline)
                continue
            leaf = self._next_deliverable()
            if leaf is not None:
                if left <= 0:
                    return True
                await self._deliver(leaf)
            elif not self._violation():
                self._live = True
                break
        return False

    async def _advance(  # noqa: C901, PLR0912, PLR0915 - the hot loop: a call for each case would cost a tenth of a replay
        self, flow: FlowNode, error: BaseException | None, value: Any, left: int, deadline: float
    ) -> tuple[int, float]:
        """Resume a flow, and go on with it, until it has to wait for a step that isn't the only one or not memoized, or the budget runs out."""
        history = self._history
        memos = history.memos if not self._shows else _NO_MEMOS  # what is to be shown goes the way of what has to wait
        memo_of = history.memo_of
        strict = history.strict
        seen = self._seen
        made = self.made
        pending = self.pending
        ready = self._tree.ready
        asend = flow.asend
        ending = flow.ending
        transform = self._transform
        apart = self._tree.apart
        check = min(left, _CHECK_EVERY)
        left -= check
        if not flow.started:
            self._begin(flow)
        while True:
            try:
                if error is None:
                    intent = await asend(value)
                else:
                    thrown, error = error, None
                    if thrown is not ending:
                        self._throws(thrown)
                    try:
                        intent = await flow.gen.athrow(thrown)
                    finally:
                        del thrown  # this frame is in its traceback
            except StopAsyncIteration:
                self._ended(flow, None)
                return left + check, deadline
            except BaseException as raised:  # noqa: BLE001 - whatever leaves a handler is the run's affair, the loop's own apart
                ending = None  # as above
                await self._raised(flow, raised)
                return left + check, deadline
            if self._was_woken and self._cancelled(flow):
                await self._vanish()
            if ending is not None and not mistakes.still_ending(flow.gen, ending):
                mistake = mistakes.went_on_after_done(flow.gen)
                self._ended(flow, mistake, unfinished=True)
                return left + check, deadline
            cls = intent.__class__
            if cls is Run or cls in _STEPS:
                if intent.hash is not None:
                    error = mistakes.yielded_twice(intent, held.where(flow.gen))
                    continue
                if transform is not None and (error := await transform(intent)) is not None:
                    continue
                id = intent.id
                if id in seen:
                    key, index = self._repeat(id)
                else:
                    seen[id] = 0
                    key, index = id, 0
                try:
                    hash = intent.hash = step_hash(key)
                except ValueError as raised:
                    error = MisuseError(str(raised), held.where(flow.gen))
                    continue
                position = self.position
                self.position = position + 1
                if made and made[-1] is intent:
                    del made[-1]
                else:
                    self._tree.unmake(intent)
                check -= 1
                if check <= 0 < left:
                    check = min(left, _CHECK_EVERY)
                    left -= check
                    if time.perf_counter() > deadline:
                        deadline = await self._give_way()
                if check > 0 and not pending and not ready and (memo := memos.pop(hash, _NO_MEMO)) is not _NO_MEMO:
                    # What _wait and _deliver do, for a memoized step that nothing else can come before.
                    if memo.__class__ is not Memo:
                        memo = memo_of(memo, intent)
                    if strict and ((memo.position != position and memo.path != flow.path) or memo.kind != intent.kind):
                        history.check_recorded(intent, position, memo, flow.path, held.where(flow.gen))
                    if apart:
                        self._delivered(hash, cls, alone=True)
                    if memo.error is not None:
                        error = as_recorded(memo.error, intent)
                        continue
                    value = memo.data
                    try:
                        if cls is Run and intent.returns_type is None:
                            decode = result_decoder(intent.fn)
                            if decode is not None:
                                value = decode(value)
                        elif cls in _DECODED:
                            value = decoded(intent, value)
                    except Exception as raised:  # noqa: BLE001 - whatever a decoder raises belongs to the handler
                        error = _undecoded(raised, intent)
                        continue
                    intent.result = value
                    continue
                self._moved.append(flow)
                left += check
                if left <= 0:
                    self._halted = flow, intent
                self._wait(intent, hash, index, position, flow, 0, flow)
                return left, deadline
            check -= 1
            self._others += 1
            value = None
            if cls is Done:
                flow.result = intent.value
                error = ending = flow.ending = GeneratorExit()
            elif cls is Defer:
                try:
                    value = await self.lazy.add_now(intent) if self.lazy.is_async_for(intent) else self.lazy.add(intent)
                except BaseException as raised:
                    if not isinstance(raised, Exception) and not self._in_own_scope(flow):
                        raise
                    error = raised
            elif cls is Abort:
                self.lazy.abort(intent.handle)
            elif cls is Using:
                try:
                    value = await self._use(intent, flow)
                except Exception as raised:  # noqa: BLE001 - failing to enter fails the attempt, at the yield
                    error = raised
            elif isinstance(intent, Group):
                self._moved.append(flow)
                self._tree.begin_group(intent, flow, 0)
                left += check
                if left <= 0:
                    self._halted = flow, intent
                return left, deadline
            elif isinstance(intent, AsyncGenerator):
                error = mistakes.used_flow(intent, self._flows, held.where(flow.gen))
                if error is None:
                    self._moved.append(flow)
                    flow.waiting = FlowNode(intent, flow, 0, join_path(flow.path, flow_name(intent)))
                    ready.append((flow.waiting, None, None))
                    left += check
                    if left <= 0:
                        self._halted = flow, intent
                    return left, deadline
            else:
                error = mistakes.no_intent(intent, held.where(flow.gen))
            if check <= 0:
                if left <= 0:
                    ready.append((flow, error, value))
                    self._halted = flow, intent
                    return 0, deadline
                check = min(left, _CHECK_EVERY)
                left -= check
                if time.perf_counter() > deadline:
                    deadline = await self._give_way()

    async def _give_way(self) -> float:
        """Let the loop have its turn. Gives the time when it is due again."""
        # Under a scope of the handler's own the loop might cancel us for it: later, then.
        if self._mark_now() is self._mark:
            await anyio.lowlevel.checkpoint()
        return time.perf_counter() + _GIVE_WAY_S

    def _throws(self, error: BaseException) -> None:
        self._thrown.append(error)
        self._tree.excuse()

    async def _raised(self, flow: FlowNode, error: BaseException) -> None:
        """Take what left a flow: its end, or that of this process's hold on the run."""
        if isinstance(error, KeyboardInterrupt) or self._finalizer.quiet:
            raise error
        if self._was_woken and self._cancelled(flow):
            if isinstance(error, anyio.get_cancelled_exc_class()):
                raise error
            await self._vanish()
        mistakes.located(error)
        self._ended(flow, error if flow.ending is None else _beyond_exit(error))

    # Steps.

    def _repeat(self, id: str) -> tuple[str, int]:
        key, index = self._next_key(id)
        self._seen[id] = index
        self._seen[key] = 0
        return key, index

    def _next_key(self, id: str) -> tuple[str, int]:
        """Give the key and the index of the next step with this id."""
        seen = self._seen
        if id not in seen:
            return id, 0
        index = seen[id] + 1
        while (key := f"{id}:{index}") in seen:
            index += 1
        return key, index

    def _wait(self, step: Step[Any], hash: str, index: int, position: int, parent: FlowNode | GroupNode, slot: int, flow: FlowNode) -> None:
        history = self._history
        place = held.place_of(flow.gen)
        path = parent.path if parent is flow else join_path(parent.path, f"[{branch_key(parent, slot)}]")
        op = Op(step, hash, index, position, path, place)
        if history.strict and hash not in history.memos and not (history.branches and "[" in path):
            history.check_unrecorded(op)
        leaf = self.pending[hash] = Leaf(op, parent, slot, self.cause)
        if parent is flow:
            flow.waiting = leaf
        elif isinstance(parent, GroupNode):
            parent.children[slot] = leaf
        if hash in history.memos:
            heapq.heappush(self._deliverable, (history.rank(hash), hash))
        else:
            self._fresh.append(leaf)

    def _next_deliverable(self) -> Leaf | None:
        deliverable = self._deliverable
        while deliverable:
            leaf = self.pending.get(deliverable[0][1])
            if leaf is not None:
                return leaf
            heapq.heappop(deliverable)
        return None

    async def _deliver(self, leaf: Leaf) -> None:
        memo = self._take(leaf)
        if memo.error is not None:
            self._tree.settle(leaf.parent, leaf.slot, as_recorded(memo.error, leaf.op.step), None)
        else:
            self._settle_with(leaf, memo.data)

    def _take(self, leaf: Leaf) -> Memo:
        op = leaf.op
        heapq.heappop(self._deliverable)
        del self.pending[op.hash]
        memo = self._history.take(op.hash, op.step)
        if self._history.strict:
            self._history.check_recorded(op.step, op.position, memo, op.path, op.at)
        if self._tree.apart:
            self._delivered(op.hash, op.step.__class__, alone=not self.pending and leaf.cause == self.cause)
        return memo

    def _delivered(self, hash: str, kind: type[Step[Any]], *, alone: bool) -> None:
        self.delivered[hash] = kind
        fork = hash if not alone else None if self.cause is None else self.cause.fork
        self.cause = Cause(hash, fork)

    def _settle_with(self, leaf: Leaf, data: Any) -> None:
        step = leaf.op.step
        try:
            value = decoded(step, data)
        except Exception as error:  # noqa: BLE001 - whatever a decoder raises belongs to the handler
            self._tree.settle(leaf.parent, leaf.slot, _undecoded(error, step), None)
            return
        step.result = value
        self._tree.settle(leaf.parent, leaf.slot, None, value)

    # The end of a flow.

    def _begin(self, flow: FlowNode) -> None:
        flow.started = True
        flow.number = self._begun
        self._begun += 1
        frame = id(flow.gen)
        self._flows[frame] = flow
        self._finalizer.flows.add(frame)

    def _ended(self, flow: FlowNode, error: BaseException | None, *, unfinished: bool = False) -> None:
        flow.ended = True
        frame = id(flow.gen)
        self._flows.pop(frame, None)
        flow.forget_frame()
        if not unfinished:  # else the finalizer must still know it
            self._finalizer.flows.discard(frame)
        if flow.ender is not None:
            (failed, then), flow.ender = flow.ender, None
            if isinstance(error, Exception):
                failed.append(error)
            then()
        elif flow.parent is None:
            self._end_handler(flow, error)
        else:
            self._tree.settle(flow.parent, flow.slot, error, flow.result)

    def _end_handler(self, flow: FlowNode, error: BaseException | None) -> None:
        forgotten = None
        if error is None:
            forgotten = error = mistakes.never_yielded(self.made, self.lazy)
        if error is not None:
            self.ended = Raised(error, final=forgotten is not None or is_final(error))
            return
        if self._history.strict:
            self._history.check_all_asked(self.position)
        self.ended = Returned(flow.result)

    async def _start(self, group: GroupNode, slot: int, left: int) -> int:
        """Start one branch; those before it have gone as far as they can. Gives how many intents came: a sub-flow's own yields count later."""
        if group.over:
            return 0
        branch = group.intent.branches[slot]
        flow = flow_of(group)
        if isinstance(branch, Step):
            if branch.hash is not None:
                self._tree.settle(group, slot, mistakes.yielded_twice(branch, held.where(flow.gen)), None)
                return 0
            if self._transform is not None and (refused := await self._transform(branch)) is not None:
                self._tree.settle(group, slot, refused, None)
                return 0
            id = branch.id
            if id in self._seen:
                key, index = self._repeat(id)
            else:
                self._seen[id] = 0
                key, index = id, 0
            try:
                hash = branch.hash = step_hash(key)
            except ValueError as error:
                self._tree.settle(group, slot, MisuseError(str(error), held.where(flow.gen)), None)
                return 0
            position = self.position
            self.position = position + 1
            if left == 1:
                self._halted = flow, branch
            self._wait(branch, hash, index, position, group, slot, flow)
        elif isinstance(branch, Group):
            self._others += 1
            self._tree.begin_group(branch, group, slot)
        else:
            mistake = mistakes.used_flow(branch, self._flows, held.where(flow.gen))
            if mistake is not None:
                self._tree.settle(group, slot, mistake, None)
                return 0
            child = FlowNode(branch, group, slot, join_path(group.path, f"[{branch_key(group, slot)}]/{flow_name(branch)}"))
            group.children[slot] = child
            self._tree.ready.append((child, None, None))
            return 0
        if left == 1:
            self._halted = flow, branch
        return 1

    # Mistakes only a look at the frames can tell.

    def _violation(self) -> bool:
        """At the frontier: throw a MisuseError into a flow that holds a scope of its own over a yield. Says whether there was one."""
        latest = self._moved
        if len(latest) > 1:  # each once, the last to move first: its scopes are inside those of the others, and must be closed before them
            latest = list(dict.fromkeys([flow for flow in reversed(latest) if flow.waiting is not None and not flow.ended]))
            self._moved = latest[::-1]
        elif latest and (latest[0].waiting is None or latest[0].ended):
            latest.clear()
        for flow in latest:
            kind = held.open_scope(flow.gen, self._flows) if held.may_enter(flow.gen) else None
            if kind is not None:
                self._throw_misuse(flow, mistakes.scope_over_yield(kind, held.where(flow.gen)))
                return True
        if latest and self._mark_now() is not self._mark:
            flow = next((flow for flow in latest if held.has_entered(flow.gen, self._flows)), latest[0])
            self._throw_misuse(flow, mistakes.scope_over_yield(_SOME_SCOPE, held.where(flow.gen)))
            return True
        self._moved.clear()
        return False

    def _open_scope(self, flow: FlowNode) -> str | None:
        return held.open_scope(flow.gen, self._flows)

    def _throw_misuse(self, flow: FlowNode, error: MisuseError) -> None:
        waiting = flow.waiting
        assert waiting is not None
        if flow.warned:
            # It caught the error and yielded under its scope again: no error will do, and left alone it could go on for ever.
            flow.result = None
            self._tree.end(flow, [], lambda: self._outcome(flow, error))
            return
        flow.warned = True

        def throw() -> None:
            flow.waiting = None
            self._tree.ready.append((flow, error, None))

        self._tree.end(waiting, [], throw)

    def _outcome(self, flow: FlowNode, error: Exception) -> None:
        if flow.parent is None:
            self.ended = Raised(error, final=True)
        else:
            self._tree.settle(flow.parent, flow.slot, error, None)

    # Resources, cancellation, plain handlers.

    async def _use(self, using: Using, flow: FlowNode) -> Any:
        kind = self._open_scope(flow) or (_SOME_SCOPE if self._mark_now() is not self._mark else None)
        if kind is not None:  # it would be closed before what is inside it
            raise mistakes.scope_over_yield(kind, held.where(flow.gen))
        if self._enter is not None:
            return await self._enter(using)
        manager: Any = using.manager
        if self._stack is None:
            self._stack = AsyncExitStack()
            self._closing = self._stack.enter_context(anyio.CancelScope())
        stack = self._stack
        try:
            if hasattr(type(manager), "__aenter__"):
                entered = await stack.enter_async_context(manager)
            else:
                entered = stack.enter_context(manager)
        finally:
            self._mark = self._mark_now()
        self.entered.append(entered)
        return entered

    def _pauses_in_scope(self) -> bool:
        if self._mark_now() is not self._mark:
            return True
        flow = None if self._halted is None else self._halted[0]
        return flow is not None and not flow.ended and self._open_scope(flow) is not None

    def _in_own_scope(self, flow: FlowNode) -> bool:
        return self._mark_now() is not self._mark or self._open_scope(flow) is not None

    def _woken(self) -> None:
        self._was_woken = True

    def _cancelled(self, flow: FlowNode) -> bool:
        """Whether the run's task is being cancelled, and not only a scope of the handler's own, such as a timeout around an await."""
        if self._in_own_scope(flow):
            return False  # the handler's own scope, which is wrong here: the frontier tells
        self._was_woken = False
        return being_cancelled()

    async def _vanish(self) -> None:
        """Leave by the loop's cancellation: user code caught it and went on to yield, but this process has let go of the run."""
        await anyio.lowlevel.checkpoint()
        raise anyio.get_cancelled_exc_class()  # asyncio delivers a task's cancellation once, and it was swallowed

    async def _run_plain(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        try:
            value = await coroutine
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt) or self._finalizer.quiet:
                raise
            if self._was_woken and being_cancelled():
                if isinstance(error, anyio.get_cancelled_exc_class()):
                    raise
                await self._vanish()
            self.ended = Raised(mistakes.located(error), final=is_final(error))
        else:
            mistake = mistakes.not_a_generator(self.made, self.lazy)
            self.ended = Returned(value) if mistake is None else Raised(mistake, final=True)
        self._plain = None
        self._live = True


def _passing(execution: weakref.ref[Execution]) -> bool:
    found = execution()  # the buffer must not keep it in memory
    return found is not None and found.passing


def _unmarked() -> object:
    raise AssertionError("no turn has been taken yet")


def is_final(error: BaseException) -> bool:
    """Say whether no further attempt of the handler can help: misuse, NonRetriableError, or nothing but memoized step errors."""
    if isinstance(error, BaseExceptionGroup):
        return all(is_final(inner) for inner in error.exceptions)
    if isinstance(error, StepError):
        return error.memoized
    return isinstance(error, (MisuseError, DeferError, NonRetriableError))


def as_recorded(error: StepError, step: Step[Any]) -> StepError:
    """Mark the error of a recorded step as such, with the step's id."""
    error.step_id = step.id
    error.memoized = True
    return error


def _beyond_exit(error: BaseException) -> BaseException | None:
    """What an ending flow raised besides the GeneratorExit that ends it, which a task group wraps in a group of its own."""
    if isinstance(error, BaseExceptionGroup):
        return error.split(GeneratorExit)[1]
    return None if isinstance(error, GeneratorExit) else error


def _undecoded(error: Exception, step: Step[Any]) -> Exception:
    error.add_note(f"while decoding the result of {describe(step)}")
    return error
