"""Adapter: a debugging session as one client sees it: where it stands, in the client's numbers and lines, and what the client is to be told.

It lives in the session's loop and knows no stream. `events` is what is to be told the client next; `then` what is to be done when the response has
gone: moves are answered before they begin, as the protocol has it. What requests do is in moving.py and looking.py.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from inngest_gen.app.app import App
from inngest_gen.debugger.dap import saying
from inngest_gen.debugger.dap.arguments import Initialize, Launch
from inngest_gen.debugger.dap.clientbreakpoints import ClientBreakpoints
from inngest_gen.debugger.dap.numbers import Numbers
from inngest_gen.debugger.dap.refused import Refused
from inngest_gen.debugger.dap.strands import Level
from inngest_gen.debugger.session import Session
from inngest_gen.debugger.stop import Stop
from inngest_gen.errors import InngestGenError, MisuseError
from inngest_gen.recording.recording import Recording

Opener = Callable[[Launch], tuple[Recording, App]]
"""Gives what is to be debugged. Raises Refused."""
Tell = Callable[[Mapping[str, Any]], str]
"""Makes text of a command's answer, for the client's console."""


class Adapter:
    """A view of a session. Made by `open`."""

    def __init__(self, session: Session, launch: Launch, client: Initialize, tell: Tell) -> None:
        self.session: Session = session
        self.launch: Launch = launch
        self.client: Initialize = client
        self.tell: Tell = tell
        self.breakpoints: ClientBreakpoints = ClientBreakpoints(session)
        self.numbers: Numbers = Numbers()
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.then: Callable[[], Awaitable[None]] | None = None
        self.over: bool = False
        """Whether the client has been told that it is over."""

    @classmethod
    async def open(cls, opener: Opener, launch: Launch, client: Initialize, tell: Tell, *, reload: bool = False) -> Adapter:
        """Open what is to be debugged, at its start. With `reload` its code is loaded anew, since this process has loaded it before.

        Raises Refused.
        """
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            recording, app = opener(launch)
            try:
                session = Session(recording, app, live=launch.live)
            except MisuseError as error:
                raise Refused(str(error), shown=True) from None
            adapter = cls(session, launch, client, tell)
            if reload:
                await adapter.reload()
        if printed.getvalue():
            adapter.say("stdout", printed.getvalue())
        await session.start()
        await adapter.show()
        return adapter

    # From the beginning to the end.

    async def begin(self, method: str = "launch") -> None:
        """Say where it begins, or go on from there."""
        recording = self.session.recording
        self.event("process", name=f"{recording.function} {recording.run_id}", startMethod=method, isLocalProcess=True)
        await self.enter()

    async def enter(self) -> None:
        """Stop at the start, or go on from there."""
        if self.launch.stop_on_entry and not self.launch.no_debug:
            await self.arrived(forward=True)
            return
        if self.launch.no_debug:
            self.session.clear()
        self.said(self.session.stop, forward=True)
        await self.go_on()

    async def go_on(self) -> None:
        """Go on to the next breakpoint, or to the end; from the end, that is the end of the session."""
        if self.session.stop.is_last:
            self.end()
            return
        await self.breakpoints.get_ready()
        stop = await self.session.continue_()
        if self.launch.no_debug or (stop.is_last and not stop.hit and not self.launch.stop_at_end):
            self.said(stop, forward=True)
            self.end()
        else:
            await self.arrived(forward=True)

    def end(self) -> None:
        """Tell the client that it is over, and how it went."""
        stop = self.session.stop
        failed = stop.divergence is not None or (stop.end is not None and stop.end.how == "raised")
        self.event("exited", exitCode=int(failed))
        self.terminate()

    def terminate(self) -> None:
        """Tell the client that it is over."""
        if not self.over:
            self.over = True
            self.event("terminated")

    async def resume(self, why: str | None) -> None:
        """Stand where it stood, after a move that did not come to its end. With `why` the client is told that it has stopped."""
        await self.session.goto(self.session.stop.number)
        await self.show()
        if why is not None:
            self.say("important", f"{why}\n")
            await self.arrived(forward=False, reason="pause")

    async def drop(self) -> None:
        """Drop the replay, in its loop."""
        self.session.close()

    async def reload(self) -> None:
        """Load edited code; where it cannot be loaded, say so and go on with the old."""
        try:
            verdict = await self.session.reload()
        except InngestGenError as error:
            self.say("important", f"the code is not loaded again: {error}\n")
            return
        except Exception as error:  # noqa: BLE001 - whatever the user's new code raises
            self.say("important", f"the edited code does not load, and the old code stays in use: {type(error).__name__}: {error}\n")
            return
        if not verdict.compatible or verdict.code != "recorded":
            self.say("console", f"reloaded: {verdict}\n")
        self.renew_breakpoints()

    def renew_breakpoints(self) -> None:
        """Look up the lines of breakpoints anew, after the code has changed, and tell the client where they are now."""
        for one in self.breakpoints.renew():
            self.event("breakpoint", reason="changed", breakpoint=self.lined(one))

    # Where it stands.

    async def show(self) -> None:
        """Give the client's numbers to where the session stands."""
        stop = self.session.stop
        code = getattr(self.session.function.handler, "__code__", None)
        file, line = (None, 0) if code is None else (code.co_filename, code.co_firstlineno)
        if not stop.frames:  # the handler has ended: what it came to last is shown
            at = next((mark.at for mark in reversed(await self.session.trail()) if mark.at is not None), None)
            if at is not None:
                file, line = at.rpartition(":")[0], int(at.rpartition(":")[2])
        self.numbers.show(stop, self.session.function.id, Level(name=saying.what(stop), file=file, line=line, end_line=line))

    async def arrived(self, *, forward: bool, reason: str | None = None) -> None:
        """Tell the client that it has stopped, and what is to be said of the stop. `reason` is why, if no breakpoint is."""
        stop = self.session.stop
        await self.show()
        if reason != "pause":
            self.said(stop, forward=forward)
        ids, kinds = self.breakpoints.hit(() if reason == "pause" else stop.hit)
        told = saying.stopped(stop, kinds, reason)
        if ids:
            told["hitBreakpointIds"] = ids
        self.event("stopped", threadId=self.numbers.thread(self.numbers.current), **told)

    def changed(self, before: Stop, history: str) -> None:
        """Tell of a change of history, when the response has gone: which history it is now, and where the session stands."""

        async def then() -> None:
            now = self.session.history
            if now.name != history:
                edits = ", ".join(f"{edit.id} {edit.how}" for edit in now.edits) or "as recorded"
                others = ", ".join(repr(name) for name in self.session.histories if name != now.name)
                self.say("console", f"this is history {now.name!r} ({edits}); `/switch NAME` goes to another: {others}\n")
            if self.session.stop.number == before.number and self.client.supports_invalidated_event:
                await self.show()
                self.said(self.session.stop, forward=False)
                self.event("invalidated", areas=["all"])
            else:
                await self.arrived(forward=False)

        self.then = then

    # Telling.

    def said(self, stop: Stop, *, forward: bool) -> None:
        """Write what is to be said of a stop to the client's console."""
        for category, text in saying.outputs(stop, forward=forward):
            self.say(category, text)

    def say(self, category: str, text: str) -> None:
        """Write something to the client's console."""
        self.event("output", category=category, output=text)

    def event(self, name: str, /, **body: Any) -> None:
        """Tell the client something."""
        self.events.append((name, body))

    def line(self, line: int) -> int:
        """Give one of our lines as the client counts."""
        return line if self.client.lines_start_at1 else line - 1

    def our_line(self, line: int) -> int:
        """Give one of the client's lines as we count."""
        return line if self.client.lines_start_at1 else line + 1

    def lined(self, told: dict[str, Any]) -> dict[str, Any]:
        """Give a breakpoint with its line as the client counts."""
        return {**told, "line": self.line(told["line"])} if told.get("line") is not None else told
