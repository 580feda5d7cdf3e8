"""Steering: does what keys and prompts ask for. It moves a session whose loop is behind a portal and keeps what is shown; it knows no terminal.

Promises: the caller's thread never waits for the session; what is pressed while a move is under way is done after it, in order, and `interrupt`
ends the move and forgets the rest. Its methods and what it posts are called in one thread.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from typing import Any, Final

from anyio.from_thread import BlockingPortal

from inngest_gen.cli import wording
from inngest_gen.cli.debug import telling
from inngest_gen.cli.debug.terminal import keys, looking, pointing, prompts
from inngest_gen.cli.debug.terminal.colouring import coloured
from inngest_gen.cli.debug.terminal.errands import Errand, Errands
from inngest_gen.cli.debug.terminal.panes import pane
from inngest_gen.cli.debug.terminal.rows import rows
from inngest_gen.cli.debug.terminal.shown import Busy, Pager, Shown
from inngest_gen.debugger import source
from inngest_gen.debugger.commands import perform
from inngest_gen.debugger.session import Session
from inngest_gen.debugger.source import yield_line
from inngest_gen.errors import MisuseError

_REQUESTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "step": {"command": "step"},
    "back": {"command": "back"},
    "over": {"command": "over"},
    "in": {"command": "in"},
    "out": {"command": "out"},
    "start": {"command": "start"},
    "finish": {"command": "finish"},
    "frontier": {"command": "run_to", "target": "frontier"},
    "divergence": {"command": "run_to", "target": "divergence"},
    "error": {"command": "run_to", "target": "error"},
    "error_back": {"command": "run_to", "target": "error", "backwards": True},
    "continue": {"command": "continue"},
    "reverse": {"command": "reverse"},
    "breakpoints": {"command": "breakpoints"},
    "match_by_id": {"command": "match_by_id"},
    "live": {"command": "live"},
    "reload": {"command": "reload"},
    "check": {"command": "check"},
}
"""What keys ask of the session."""
_MISSED: Final = {
    "frontier": "this history has no frontier: the handler ends before the record does",
    "divergence": "the replay never leaves the record",
    "error": "there is no error after this",
    "error_back": "there was no error before this",
}
_SOON_S: Final = 0.15
"""What takes longer than this is told to be under way."""
_LOG: Final = 2_000
_OWN: Final = [
    f"{'log':<44} all questions and answers of this session",
    f"{'printed':<44} what was printed beside the run: by loggers, on reload",
    f"{'keys':<44} what the keys do",
    f"{'quit (q)':<44} leave",
]
"""Commands by words that are the view's own."""
_SHOWN: Final = 3
"""Answers of more lines than this get the whole screen."""


class Steering:
    """Steers a session. `post` calls something in the caller's thread, soon, from any thread; `leave` is called with the exit status.

    `strays` gives what was printed by other than the run.
    """

    def __init__(
        self,
        session: Session,
        portal: BlockingPortal,
        signs: Mapping[str, str],
        post: Callable[[Callable[[], None]], None],
        leave: Callable[[int], None],
        strays: Callable[[], list[str]] = list,
    ) -> None:
        stop = session.stop
        run = f"{session.recording.function} {wording.short(session.recording.run_id)}"
        self.shown: Shown = Shown(run=run, stop=stop, told=stop.to_json(), source=self._source, signs=signs)
        self.log: deque[str] = deque(maxlen=_LOG)
        self._session = session
        self._errands = Errands(portal)
        self._post = post
        self._leave = leave
        self._strays = strays
        self._errand: Errand | None = None
        self._waiting: deque[Errand] = deque()
        self._ending: Errand | None = None
        self._lost = False
        self._opened: set[tuple[int, tuple[str, ...]]] = set()
        self._marks_of: object = None
        self._code_of: object = None
        self._named: int | None = None
        self._arrive()
        self._idle()

    # What keys do.

    def press(self, action: str) -> None:
        """Do what a key is for."""
        shown = self.shown
        if shown.pager is not None:
            if not pointing.turn(shown, action):
                self.press(action)
            return
        shown.message, shown.failed = (), False
        if action in _REQUESTS:
            self._ask(dict(_REQUESTS[action]), action)
        elif action in prompts.PROMPTS:
            self._prompt(action)
        else:
            self._others(action)

    def _others(self, action: str) -> None:
        shown = self.shown
        match action:
            case "escape":
                self.interrupt()
            case "quit":
                self._leave(0)
            case "help":
                self._page("keys", keys.help_lines(), has_topics=True)
            case "outer" | "inner":
                self._choose(shown.chosen + (1 if action == "outer" else -1))
            case "next_pane" | "previous_pane":
                pointing.focus(shown, 1 if action == "next_pane" else -1)
            case "up" | "down" | "page_up" | "page_down":
                pointing.move(shown, action)
            case "zoom":
                shown.zoomed = not shown.zoomed
            case "enter":
                self._enter()
            case "toggle":
                self._toggle()
            case "histories":
                self._next_history()

    def interrupt(self) -> None:
        """End what is under way and forget what waits; where there is nothing, close what is open."""
        shown = self.shown
        if self._errand is not None and self.is_busy():
            self._waiting.clear()
            self._ending = self._errand
            self._errands.cancel(self._errand)
        elif shown.zoomed:
            shown.zoomed = False
        else:
            shown.focus, shown.cursor, shown.message, shown.failed = "source", None, (), False

    def is_busy(self) -> bool:
        """Say whether something is under way that was asked for."""
        return self._errand is not None and (not self._errand.quietly or bool(self._waiting))

    def is_ending(self) -> bool:
        """Say whether what is under way was interrupted already."""
        return self._errand is not None and self._ending is self._errand

    def tick(self) -> None:
        """Note how long what is under way has been so, for those who draw it."""
        errand = self._waiting[0] if self._waiting else self._errand
        seconds = 0.0 if errand is None else time.monotonic() - errand.began
        if errand is not None and seconds > _SOON_S and (self.is_busy() or self.is_ending()):
            self.shown.busy = Busy(errand.what, seconds, self._session.reached, self.is_ending())
        else:
            self.shown.busy = None

    def close(self, patience_s: float) -> bool:
        """Interrupt everything; says whether the session's loop is free after so long."""
        self._waiting.clear()
        self._errands.close()
        if self._errand is None:
            return True
        self._errands.cancel(self._errand)
        return not wait([self._errand.outcome], patience_s).not_done

    # Prompts.

    def _prompt(self, action: str) -> None:
        try:
            self.shown.prompt = prompts.prompt(action, self._session, self.shown, self._named)
        except MisuseError as error:
            self._say([str(error)], failed=True)

    def answered(self, text: str) -> None:
        """Take what was typed at the prompt."""
        prompt, self.shown.prompt = self.shown.prompt, None
        text = text.strip() or ("" if prompt is None else prompt.default)
        if prompt is None or not text:
            return
        if prompt.action == "command" and self._own(text):
            return
        try:
            request = prompts.request(prompt.action, text, self.shown)
        except MisuseError as error:
            self._say([str(error)], failed=True)
            return
        self._ask(request, prompt.action, text)

    def abandoned(self) -> None:
        """The prompt was left."""
        self.shown.prompt = None

    def _own(self, text: str) -> bool:
        """Do those commands by words that are the view's own."""
        match text:
            case "help":
                self._page("commands", [line[2:] for line in telling.help_lines()][:-3] + _OWN)
            case "log":
                self._page("all that was said", list(self.log))
            case "printed":
                self._page("printed beside the run", [wording.visible(line) for line in self._strays()] or ["nothing"])
            case "keys":
                self._page("keys", keys.help_lines(), has_topics=True)
            case "quit" | "q" | "exit":
                self._leave(0)
            case _:
                return False
        return True

    # Moves and questions.

    def _ask(self, request: dict[str, Any], action: str, text: str = "") -> None:
        """Have the session carry a request out."""

        async def work() -> Any:
            if self._lost and request["command"] in looking.IN_A_FRAME:
                await self._session.goto(self._session.stop.number)
            return await perform(self._session, request)

        said = f"{request['command']} {text}".strip()
        self._begin(Errand(said, work, lambda answer: self._answer(answer, action, said)))

    def _answer(self, answer: Mapping[str, Any], action: str, said: str) -> None:
        self.log.append(f"> {said}")
        self.log += telling.lines(answer, lambda _: [])
        if "error" in answer:
            stack = looking.own_lines(str(answer["error"].get("stack") or ""))
            if stack:
                self._page(said, [wording.visible(line) for line in stack])
            self._say([str(answer["error"]["message"])], failed=True)
            return
        if "stop" in answer or "reloaded" in answer:
            before = self.shown.stop
            self._lost = False
            self._arrive()
            stop = self.shown.stop
            missed = _MISSED.get(action)
            if missed is not None and stop.reason != "run to" and not (action == "divergence" and stop.state == "diverged"):
                if not (action == "frontier" and stop.state == "frontier"):
                    self._say([missed])
            elif (
                stop.reason in {"end", "frontier", "divergence"}
                and before.number == stop.number
                and action in {"step", "over", "in", "out"}
            ):
                self._say(["this is the last stop; b goes back"])
            elif action in {"continue", "reverse"} and stop.reason != "breakpoint":
                where = "before" if action == "reverse" else "after"
                none = "there are no breakpoints: B sets one" if not self._session.breakpoints else f"no breakpoint was met {where} there"
                self._say([none])
            elif action in {"run_to", "back_to"} and stop.reason != "run to":
                self._say([f"{said.partition(' ')[2]} was not met on the way"])
        if "stop" not in answer:
            self._named = looking.number_in(answer)
            lines = looking.told(answer, action, said)
            if len(lines) > _SHOWN:
                self._page(said, lines)
            elif lines:
                self._say(lines, failed=looking.is_bad(answer))
        self._look()

    def _arrive(self) -> None:
        """Take in where the session stands."""
        shown, session = self.shown, self._session
        shown.message, shown.failed = (), False
        shown.stop = session.stop
        shown.told = shown.stop.to_json()
        if self._code_of is not session.function:  # it takes some milliseconds, and changes on reload alone
            self._code_of, shown.code = session.function, session.code
        shown.histories = len(session.histories)
        shown.outcome = session.history.outcome
        shown.failures = {step.hash: sum(one.error is not None for one in step.attempts) for step in session.recording.steps}
        shown.edited = {edit.hash: edit.how for edit in session.history.edits}
        shown.stations = looking.stations(shown.stop)
        shown.chosen = 0
        if shown.focus != "source":
            shown.focus = shown.focus if shown.focus in pointing.visible(shown) else "source"
        shown.cursor = None
        if shown.stop.at is not None:
            shown.place = shown.stop.at.file, shown.stop.at.line
        else:
            shown.place = looking.place_before(shown.stop.number, shown.marks) or shown.place or looking.beginning(session.function)
        if shown.stop.logged:
            self._say([f"said: {wording.one_line(said)}" for said in shown.stop.logged])
        self._look()

    def _look(self) -> None:
        """Look at the locals of the chosen frame, and at the breakpoints."""
        shown = self.shown
        shown.breakpoints = tuple(self._session.breakpoints.values())
        station = shown.station
        shown.rows = () if station is None else rows(self._still(), shown.stop, station.frame, self._opened)

    def _still(self) -> Session | None:
        """Give the session while nothing moves it: its frames are not to be looked at while another thread runs them."""
        return self._session if self._errand is None or self._errand.quietly else None

    # Panes.

    def _enter(self) -> None:
        shown = self.shown
        if shown.focus == "timeline" and shown.marks:
            number = shown.marks[pane("timeline", shown).cursor or 0].number
            self._ask({"command": "goto", "number": number}, "goto", str(number))
        elif shown.focus == "locals" and shown.rows:
            row = shown.rows[max(0, min(shown.cursor or 0, len(shown.rows) - 1))]
            station = shown.station
            if row.opened is None or station is None:
                self._page(row.variable.name, wording.visible(row.variable.text).splitlines())
                return
            self._opened ^= {(station.frame, row.names)}
            shown.cursor = shown.cursor or 0
            self._look()

    def _choose(self, place: int) -> None:
        shown = self.shown
        if len(shown.stations) < 2:
            self._say(["there is no other frame here"])
            return
        shown.chosen = place % len(shown.stations)
        if shown.focus in {"source", "locals"}:
            shown.cursor = None
        self._look()

    def _toggle(self) -> None:
        shown = self.shown
        station = shown.station
        file, line = (station.file, station.line) if station is not None and station.line else shown.place or ("", 0)
        if shown.focus == "source" and shown.cursor is not None:
            line = shown.cursor + 1
        stops_at = yield_line(file, line)
        if stops_at is None:
            self._say(["there is no yield on this line or after it in its function: nothing would stop there"], failed=True)
            return
        for one in list(self._session.breakpoints.values()):
            if one.target.what == "line" and (one.target.value, one.target.line) == (file, stops_at):
                self._session.clear(one.id)
                self._say([f"breakpoint {one.id} is gone"])
                break
        else:
            made = self._session.break_at(f"{file}:{stops_at}")
            more = "" if stops_at == line else f", where the next yield is (line {stops_at})"
            self._say([f"breakpoint {made.id} is set{more}"])
        self._look()

    def _next_history(self) -> None:
        names = list(self._session.histories)
        if len(names) == 1:
            self._say(["there is only the recorded history: w makes another"])
            return
        name = names[(names.index(self._session.history.name) + 1) % len(names)]
        self._ask({"command": "switch", "name": name}, "histories", name)

    # Texts.

    def _say(self, lines: list[str], *, failed: bool = False) -> None:
        self.shown.message, self.shown.failed = tuple(wording.one_line(line) for line in lines), failed

    def _page(self, title: str, lines: list[str], *, has_topics: bool = False) -> None:
        self.shown.pager, self.shown.top = Pager(title, tuple(lines), has_topics), 0

    def _source(self, file: str) -> list[Any]:
        return coloured(source.text(file))

    # Errands.

    def _begin(self, errand: Errand) -> None:
        if self._errand is None:
            self._start(errand)
            return
        self._waiting.append(errand)
        if self._errand.quietly:
            self._errands.cancel(self._errand)

    def _start(self, errand: Errand) -> None:
        self._errand = errand
        errand.began = time.monotonic()
        errand.outcome.add_done_callback(lambda outcome: self._post(lambda: self._done(errand, outcome)))
        self._errands.begin(errand)

    def _done(self, errand: Errand, outcome: Future[Any]) -> None:
        self._errand = self.shown.busy = None
        answer = outcome.result()
        if answer is None:
            self._lost = True
            if not errand.quietly:
                self._say([f"interrupted: {errand.what}; still at stop {self._session.stop.number}"])
        else:
            errand.then(answer)
        if self._waiting:
            self._start(self._waiting.popleft())
        else:
            self._idle()

    def _idle(self) -> None:
        """Look at what may be looked at while nothing is asked for: every stop of this history, for the timeline."""
        session = self._session
        of = (session.history, session.function)
        if self._marks_of == of:
            return
        shown = self.shown
        shown.marks = None

        def take(marks: Any) -> None:
            shown.marks, self._marks_of = marks, of
            self._look()

        self._start(Errand("look at every stop", session.trail, take, quietly=True))
