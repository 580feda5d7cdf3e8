"""Plain: commands as words, answers as text: for terminals without more, for pipes, and for transcripts."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any, Final

import click
from anyio.from_thread import BlockingPortal

from inngest_gen.cli.debug import telling
from inngest_gen.cli.refusal import OK
from inngest_gen.debugger.commands import perform, request_of
from inngest_gen.debugger.session import Session
from inngest_gen.errors import MisuseError

_PROMPT: Final = "(debug) "


class Plain:
    """Speaks for a session whose loop is behind `portal`."""

    def __init__(self, session: Session, portal: BlockingPortal) -> None:
        self._session = session
        self._portal = portal
        self._lane: Any = None
        """The defers that were told last: they are told again when there is something new of them."""

    def run(self, commands: tuple[str, ...]) -> int:
        """Carry commands out until there are no more, or one says quit. An empty line repeats the last one."""
        self._tell(self._perform({"command": "start"}))
        if not commands and sys.stdin.isatty():
            click.echo("`help` lists the commands")
        last = ""
        for line in commands or self._typed():
            words = line.strip() or last
            last = words
            match words.split(None, 1)[:1]:
                case []:
                    continue
                case ["quit" | "q" | "exit"]:
                    break
                case ["help" | "?"]:
                    click.echo("\n".join(telling.help_lines()))
                case ["walk"]:
                    self._walk()
                case _:
                    self._carry_out(words)
        return OK

    def _typed(self) -> Iterator[str]:
        if not sys.stdin.isatty():
            yield from _lines()
            return
        import importlib.util

        if importlib.util.find_spec("readline"):
            import readline  # noqa: F401 - gives `input` its history and editing
        while True:
            try:
                yield input(_PROMPT)
            except EOFError:
                click.echo()
                return

    def _carry_out(self, words: str) -> None:
        try:
            request = request_of(words)
        except MisuseError as error:
            click.echo(f"! {error} (`help` lists the commands)")
            return
        self._tell(self._perform(request))

    def _walk(self) -> None:
        """Tell every stop from here to the last."""
        while not self._session.stop.is_last:
            click.echo()
            self._tell(self._perform({"command": "step"}))

    def _perform(self, request: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self._portal.call(perform, self._session, request)
        return answer

    def _tell(self, answer: dict[str, Any]) -> None:
        stop = answer.get("stop")
        if stop is not None:
            lane, self._lane = self._lane, stop["lazy"]
            if lane == self._lane and answer["command"] != "stop":
                answer = {**answer, "stop": {**stop, "lazy": []}}
        click.echo("\n".join(telling.lines(answer, self._session.source)))


def _lines() -> Iterable[str]:
    return iter(sys.stdin.readline, "")
