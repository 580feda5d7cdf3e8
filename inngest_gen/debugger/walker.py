"""Walker: where a session stands and how it comes to another stop. It goes forward with the replay at hand where it can, and else makes another.

Promises: at most one replay is kept; a stop is described alike whichever way it was come to; what is not the same when a stop is come to again is
told.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import anyio.lowlevel

from inngest_gen.app.function import Function
from inngest_gen.debugger import scene
from inngest_gen.debugger.history import History
from inngest_gen.debugger.replay import Replay, UsingHook, replay_to
from inngest_gen.debugger.stop import Mark, Reason, Stop, Unstable

END: Final = 1 << 60
"""A number that no stop has: the way to the last one."""

_KEPT: Final = 5_000
"""Of so many visited stops it is kept how they were."""

_GIVE_WAY_S: Final = 0.005
"""After so long a scan lets the loop have its turn: it can be cancelled, as the driver's own turns can."""

Visit = Callable[[Replay, Mark], bool]
"""Looks at a stop of a scan; True ends the scan."""


class Walker:
    """Walks over the histories of one function's run. `notes` gives what is to be said at the start."""

    def __init__(self, history: History, function: Function, using: UsingHook | None, notes: Callable[[], list[str]]) -> None:
        self.history: History = history
        self.function: Function = function
        self.replay: Replay | None = None
        self.stop: Stop | None = None
        self.touched: bool = False
        """Whether an evaluation may have changed something in the replay, so that it must not go on."""
        self._using = using
        self._notes = notes
        self._before: scene.Digests | None = None
        self._now: tuple[Replay, int, scene.Digests] | None = None
        """The digests of the stack where it stands: as the handler has not gone on since, the next stop's `_before` has them too."""
        self._seen: dict[tuple[str, int], tuple[str, scene.Digests]] = {}
        self._trails: dict[str, tuple[Mark, ...]] = {}
        self._moved: Replay | None = None

    @property
    def reached(self) -> int:
        """How many steps the replay that was moved last has asked for so far."""
        replay = self._moved
        return replay.execution.position if replay is not None and replay.has_begun else 0

    @property
    def number(self) -> int:
        """The number of the stop where it stands."""
        return 0 if self.stop is None else self.stop.number

    def close(self) -> None:
        """Drop the replay."""
        old, self.replay, self._now, self._moved = self.replay, None, None, None
        if old is not None:
            old.drop()

    def forget(self, name: str | None = None) -> None:
        """Forget how the stops of a history (None: of all) were: it, or the code, is another now."""
        self._trails = {} if name is None else {key: value for key, value in self._trails.items() if key != name}
        self._seen = {} if name is None else {key: value for key, value in self._seen.items() if key[0] != name}

    async def to(self, number: int, reason: Reason, *, anew: bool = False, hit: tuple[int, ...] = (), logged: tuple[str, ...] = ()) -> Stop:
        """Go to a stop, the nearest after it that can be stopped at, or the last. With `anew` by another replay."""
        replay = self.replay
        on = replay is not None and not anew and self._goes_on(replay) and number >= replay.number
        if on:
            self._moved = replay
        if replay is None or not on or not await replay.forward(number - replay.number, self._note):
            replay = await self._replayed(number)
        while replay.in_scope:
            await replay.forward(1, self._note)
        return self._arrived(replay, number, reason, hit, logged)

    async def current(self) -> Replay:
        """Give the replay at this stop, made anew where another loop or an evaluation has spoilt it."""
        if self.replay is None or not self._goes_on(self.replay):
            stop = self.stop
            await self.to(self.number, "goto", anew=True)
            self.stop = stop or self.stop
        assert self.replay is not None
        return self.replay

    async def back_from(self, number: int, count: int) -> Stop:
        """Go `count` stops back from a stop."""
        wanted = number - count
        stop = await self.to(wanted, "back")
        # Inside a scope of the handler's own there is no stopping: then the one before.
        while count and stop.number >= number and wanted > 0:
            wanted -= 1
            stop = await self.to(wanted, "back")
        return stop

    async def scan(self, start: int, visit: Visit, *, until: int | None = None, first: bool = False) -> None:
        """Visit every stop after `start` (from it on with `first`), before `until`, in a replay of its own, until `visit` says True."""
        replay = await self.another(start)
        deadline = time.perf_counter() + _GIVE_WAY_S
        try:
            if first and not replay.in_scope and visit(replay, scene.mark_of(replay)):
                return
            while not replay.is_last:
                await replay.forward(1)
                if time.perf_counter() > deadline and not replay.in_scope:
                    await anyio.lowlevel.checkpoint()
                    deadline = time.perf_counter() + _GIVE_WAY_S
                if not replay.in_scope and ((until is not None and replay.number >= until) or visit(replay, scene.mark_of(replay))):
                    return
        finally:
            replay.drop()

    async def another(self, number: int) -> Replay:
        """Make another replay at a stop, for a look; the caller drops it."""
        return await replay_to(self.history, self.function, number, using=self._using, begun=self._begun)

    def known_trail(self) -> tuple[Mark, ...] | None:
        """Give all stops of the history, if they are known already."""
        return self._trails.get(self.history.name)

    async def trail(self) -> tuple[Mark, ...]:
        """List all stops of the history in a line each."""
        known = self._trails.get(self.history.name)
        if known is None:
            marks: list[Mark] = []

            def visit(replay: Replay, mark: Mark) -> bool:  # noqa: ARG001 - a Visit
                marks.append(mark)
                return False

            await self.scan(0, visit, first=True)
            known = self._trails[self.history.name] = tuple(marks)
        return known

    # How it comes there.

    def _goes_on(self, replay: Replay) -> bool:
        return not self.touched and replay.loop == anyio.lowlevel.current_token()

    async def _replayed(self, number: int) -> Replay:
        self.close()
        self._before = None
        self.touched = False
        self.replay = replay = await replay_to(
            self.history, self.function, max(number, 0), using=self._using, before_last=self._note, begun=self._begun
        )  # fmt: skip
        return replay

    def _begun(self, replay: Replay) -> None:
        self._moved = replay

    def _note(self, replay: Replay) -> None:
        known = self._now
        self._before = scene.digests_of(replay, known[2] if known is not None and known[:2] == (replay, replay.number) else {})

    def _arrived(self, replay: Replay, wanted: int, reason: Reason, hit: tuple[int, ...], logged: tuple[str, ...]) -> Stop:
        if replay.is_last and replay.number < wanted:
            reason = "frontier" if replay.state == "frontier" else "divergence" if replay.state == "diverged" else "end"
        now = scene.stack_digests(replay)
        self._now = replay, replay.number, now
        stop = scene.stop_of(replay, reason, self._before if replay.number else None, now)
        notes = stop.notes if replay.number else (*self._notes(), *stop.notes)
        self.stop = stop = replace(stop, hit=hit, logged=logged, unstable=self._compared(stop, now), notes=notes)
        return stop

    def _compared(self, stop: Stop, now: scene.Digests) -> tuple[Unstable, ...]:
        key = (stop.history, stop.number)
        text = f"{stop.intent.text} at {stop.at}" if stop.intent is not None else stop.state
        then = self._seen.get(key)
        if then is None:
            if len(self._seen) >= _KEPT:
                del self._seen[next(iter(self._seen))]
            self._seen[key] = text, now
            return ()
        found = differences(stop.number, then[1], now)
        if then[0] != text:
            found.insert(0, Unstable(number=stop.number, frame=0, name=None, first=then[0], now=text))
        return tuple(found)


def differences(number: int, first: scene.Digests, now: scene.Digests) -> list[Unstable]:
    """Tell which locals are not the same in two replays at one stop."""
    return [
        Unstable(number=number, frame=id, name=name, first=then[1], now=values[name][1])
        for id, values in now.items()
        for name, then in first.get(id, {}).items()
        if name in values and values[name][0] != then[0]
    ]
