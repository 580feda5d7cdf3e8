"""Window: the view on a terminal, by prompt_toolkit. The only file that lets that library run: it owns the main thread, with a loop of its own.

Promises: whatever ends the view, a key, a signal or a defect, the terminal is as it was before; what user code and others write to stdout and
stderr meanwhile does not reach the screen.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Final

import anyio
from anyio.from_thread import BlockingPortal
from prompt_toolkit.application import Application
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import Completer, DynamicCompleter, WordCompleter
from prompt_toolkit.data_structures import Size
from prompt_toolkit.filters import Condition, has_focus
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.input import Input, create_input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout import BufferControl, ConditionalContainer, FormattedTextControl, HSplit, Layout, VSplit
from prompt_toolkit.layout import Window as Part
from prompt_toolkit.output import Output
from prompt_toolkit.output.color_depth import ColorDepth
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.styles import Style

from inngest_gen.cli.debug.hanging import HandlerHangs
from inngest_gen.cli.debug.terminal import layout, prompts, signs
from inngest_gen.cli.debug.terminal.cells import Line, cut
from inngest_gen.cli.debug.terminal.keys import KEYS
from inngest_gen.cli.debug.terminal.steering import Steering
from inngest_gen.cli.debug.terminal.strays import kept_away
from inngest_gen.cli.refusal import INTERRUPTED, TERMINATED
from inngest_gen.debugger.session import Session

_TICK_S: Final = 0.1
_ESCAPE_S: Final = 0.1
"""How long an Esc waits for more of an arrow key: a slow line sends them apart."""
_PATIENCE_S: Final = 1.0
_COLUMNS: Final = 60
"""How much of the last line a prompt's label may take, in hundredths."""

_STYLE: Final = {
    "bar": "reverse", "title": "bold", "focused": "reverse", "rule": "dim", "dim": "dim", "strong": "bold",
    "here": "bold ansicyan", "current": "bold", "cursor": "reverse", "chosen": "bold underline", "name": "", "changed": "bold ansiyellow",
    "good": "ansigreen", "bad": "bold ansired", "note": "ansiyellow", "printed": "ansimagenta", "message": "bold", "key": "bold ansicyan",
    "busy": "bold ansiyellow", "prompt": "bold ansicyan", "code.comment": "dim", "code.string": "ansigreen",
    "code.keyword": "ansimagenta", "code.number": "ansicyan", "code.name": "ansicyan", "code.decorator": "ansicyan",
}  # fmt: skip
"""Only colours that a terminal's owner has chosen and that can be read on light and on dark, and attributes that hold without colours."""


class Window:
    """The view of a session that has begun, whose loop is behind `portal`. `source` and `output` are the terminal; None: that of the process."""

    def __init__(self, session: Session, portal: BlockingPortal, source: Input | None = None, output: Output | None = None) -> None:
        self._session = session
        self._portal = portal
        self._input = source
        self._output = output
        self._buffer = Buffer(
            history=InMemoryHistory(), multiline=False, accept_handler=self._accepted, completer=DynamicCompleter(self._completer)
        )
        self._histories: dict[str, InMemoryHistory] = {}
        self._drawn: list[Line] = []
        self.app: Application[int]
        self.steering: Steering

    def run(self) -> int:
        """Show it until the user leaves; gives the exit status."""
        if self._output is not None:
            return self._run(self._output)
        with kept_away() as strays:
            return self._run(Vt100_Output.from_pty(strays.terminal, term=os.environ.get("TERM")), strays.lines)

    def _run(self, output: Output, strays: Callable[[], list[str]] = list) -> int:
        with contextlib.ExitStack() as stack:
            source = self._input
            if source is None:
                source = create_input(sys.stdin)
                stack.callback(source.close)
            self.app = self._application(source, output)
            encoding = output.encoding() if hasattr(output, "encoding") else "utf-8"
            self.steering = Steering(self._session, self._portal, signs.for_encoding(encoding), self._soon, self._leave, strays)
            try:
                status = self.app.run(pre_run=self._begin, set_exception_handler=False, handle_sigint=False)
            finally:
                is_free = self.steering.close(_PATIENCE_S)
        if not is_free:
            raise HandlerHangs(status)
        return status

    # The application.

    def _application(self, source: Input, output: Output) -> Application[int]:
        prompting = Condition(lambda: self.steering.shown.prompt is not None)
        body = Part(FormattedTextControl(self._body, focusable=True, show_cursor=False), wrap_lines=False, always_hide_cursor=True)
        last = ConditionalContainer(Part(FormattedTextControl(self._last), height=1, always_hide_cursor=True), ~prompting)
        prompt = ConditionalContainer(
            VSplit([
                Part(FormattedTextControl(self._label), height=1, dont_extend_width=True),
                Part(BufferControl(self._buffer), height=1),
            ]),
            prompting,
        )  # fmt: skip
        depth = ColorDepth.DEPTH_1_BIT if os.environ.get("NO_COLOR") else ColorDepth.DEPTH_4_BIT
        app: Application[int] = Application(
            layout=Layout(HSplit([body, last, prompt]), focused_element=body),
            key_bindings=self._bindings(),
            style=Style.from_dict(_STYLE),
            full_screen=True,
            color_depth=depth,
            input=source,
            output=output,
            enable_page_navigation_bindings=False,
        )
        app.ttimeoutlen = _ESCAPE_S
        app.timeoutlen = _ESCAPE_S
        self._at_rest = body
        return app

    def _begin(self) -> None:
        """Called when the application runs."""
        loop = self.app.loop
        if loop is not None and threading.current_thread() is threading.main_thread() and self._output is None:
            for number, status in ((signal.SIGTERM, TERMINATED), (signal.SIGHUP, 128 + signal.SIGHUP), (signal.SIGINT, INTERRUPTED)):
                loop.add_signal_handler(number, functools.partial(self._leave, status))
        self._ticker = self.app.create_background_task(self._ticks())

    async def _ticks(self) -> None:
        while True:
            await anyio.sleep(_TICK_S)
            with self._guarded():
                was = self.steering.shown.busy
                self.steering.tick()
                if self.steering.shown.busy is not None or was is not None:
                    self.app.invalidate()

    def _soon(self, call: Callable[[], None]) -> None:
        """Call something in this thread's loop; from any thread."""
        loop = self.app.loop
        if loop is None:  # before the application runs: at its beginning
            self.app.pre_run_callables.append(functools.partial(self._call, call))
            return
        with contextlib.suppress(RuntimeError):  # it is closed: nobody looks any more
            loop.call_soon_threadsafe(self._call, call)

    def _call(self, call: Callable[[], None]) -> None:
        with self._guarded():
            call()
            self.app.invalidate()

    def _leave(self, status: int) -> None:
        if self.app.future is not None and not self.app.future.done():
            self.app.exit(result=status)

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        """Let what goes wrong end the view, not fall into the loop's hands: the terminal is put back before it is told."""
        try:
            yield
        except BaseException as error:  # it is raised again by `run`
            if self.app.future is None or self.app.future.done():
                raise
            self.app.exit(exception=error)

    # Keys.

    def _bindings(self) -> KeyBindings:
        bindings = KeyBindings()
        typing = has_focus(self._buffer)

        def bind(spelled: str, action: str) -> None:
            @bindings.add(spelled, filter=~typing, eager=True)
            def press(event: KeyPressEvent) -> None:  # noqa: ARG001 - the library's signature
                with self._guarded():
                    self._pressed(action)

        for key in KEYS:
            for spelled in key.spelled:
                bind(spelled, key.action)

        @bindings.add("c-c", eager=True)
        def interrupt(event: KeyPressEvent) -> None:  # noqa: ARG001 - as above
            with self._guarded():
                if self.steering.shown.prompt is not None:
                    self._abandoned()
                elif self.steering.is_busy() and not self.steering.is_ending():
                    self.steering.interrupt()
                else:
                    self._leave(INTERRUPTED)

        @bindings.add("escape", filter=typing, eager=True)
        @bindings.add("c-g", filter=typing, eager=True)
        def abandon(event: KeyPressEvent) -> None:  # noqa: ARG001 - as above
            with self._guarded():
                self._abandoned()

        @bindings.add("tab", filter=typing, eager=True)
        def complete(event: KeyPressEvent) -> None:  # noqa: ARG001 - as above
            with self._guarded():
                if self._buffer.complete_state is not None:
                    self._buffer.complete_next()
                else:
                    self._buffer.start_completion(select_first=True)

        @bindings.add("c-d", filter=Condition(lambda: not self._buffer.text), eager=True)
        def end(event: KeyPressEvent) -> None:  # noqa: ARG001 - as above
            with self._guarded():
                if self.steering.shown.prompt is not None:
                    self._abandoned()
                else:
                    self._leave(0)

        return bindings

    def _pressed(self, action: str) -> None:
        if action == "suspend":
            self.app.suspend_to_background()
            return
        if action == "redraw":
            self.app.renderer.clear()
            return
        self.steering.press(action)
        prompt = self.steering.shown.prompt
        if prompt is not None:
            history = self._histories.setdefault(prompt.action, InMemoryHistory())
            self._buffer.history = history
            self._buffer.reset()
            self._buffer.text = prompt.text
            self._buffer.cursor_position = len(prompt.text)
            self.app.layout.focus(self._buffer)

    def _completer(self) -> Completer:
        prompt = self.steering.shown.prompt
        action = "" if prompt is None else prompt.action
        return WordCompleter(prompts.words(action, self.steering.shown), sentence=action != "evaluate")

    def _accepted(self, buffer: Buffer) -> bool:
        with self._guarded():
            self.app.layout.focus(self._at_rest)
            if buffer.text.strip():
                buffer.append_to_history()
            self.steering.answered(buffer.text)
        return False

    def _abandoned(self) -> None:
        self.app.layout.focus(self._at_rest)
        self.steering.abandoned()

    # What is drawn.

    def _size(self) -> Size:
        return self.app.output.get_size()

    def _body(self) -> StyleAndTextTuples:
        size = self._size()
        with self._guarded():
            self._drawn = layout.draw(self.steering.shown, size.columns, size.rows)
        return _joined(self._drawn[:-1])

    def _last(self) -> StyleAndTextTuples:
        return _joined(self._drawn[-1:])

    def _label(self) -> StyleAndTextTuples:
        prompt = self.steering.shown.prompt
        return [] if prompt is None else [("class:prompt", cut(prompt.label, self._size().columns * _COLUMNS // 100))]


def _joined(lines: list[Line]) -> StyleAndTextTuples:
    found: StyleAndTextTuples = []
    for place, line in enumerate(lines):
        if place:
            found.append(("", "\n"))
        found += line
    return found
