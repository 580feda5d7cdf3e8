"""JSON lines: a request a line on stdin, an answer a line on stdout; docs/design/debugger.md has the table.

Promises: the first line answers {"command": "start"}, which needs no request; each request gets exactly one answer, in order; stdout has nothing
else, whatever user code prints.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable
from typing import Any

import orjson
from anyio.from_thread import BlockingPortal

from inngest_gen.cli import wording
from inngest_gen.cli.refusal import OK
from inngest_gen.debugger.commands import perform
from inngest_gen.debugger.session import Session


class JsonLines:
    """Speaks for a session whose loop is behind `portal`."""

    def __init__(self, session: Session, portal: BlockingPortal) -> None:
        self._session = session
        self._portal = portal
        self._stdout = sys.stdout

    def run(self, commands: tuple[str, ...]) -> int:
        """Answer requests until there are no more, or one says quit."""
        lines: Iterable[str] = commands or iter(sys.stdin.readline, "")
        with contextlib.redirect_stdout(sys.stderr):
            self._answer({"command": "start"})
            for line in lines:
                if not line.strip():
                    continue
                request = _request(line)
                if isinstance(request, dict) and request.get("command") in {"quit", "q"}:
                    break
                self._answer(request)
        return OK

    def _answer(self, request: Any) -> None:
        if isinstance(request, dict):
            answer = self._portal.call(perform, self._session, request)
        else:
            answer = {"error": {"name": "MisuseError", "message": 'a request is a JSON object such as {"command": "step"}'}}
        self._stdout.write(f"{wording.compact(answer)}\n")
        self._stdout.flush()


def _request(line: str) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
