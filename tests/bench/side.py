"""A process that is measured: it is told what to do in JSON lines and answers with what it measured itself.

Each side has a process of its own, so that sides can be asked in turn (A B A B) and share no interpreter, no loop and no garbage.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import traceback
from collections.abc import Callable, Coroutine, Mapping
from types import TracebackType
from typing import Any, Self

import anyio.to_thread

ROOT = pathlib.Path(__file__).parents[2]

Commands = Mapping[str, Callable[..., Coroutine[Any, Any, Any]]]


class Side:
    """The asking end: `with Side("tests.bench.worker", directory, "trio") as side: side.ask("steps", count=100)`."""

    def __init__(self, module: str, *arguments: object) -> None:
        self._name = f"{module} {' '.join(map(str, arguments))}"
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *map(str, arguments)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, do: str, **arguments: Any) -> Any:
        """Let the side do something and give what it answers. Raises RuntimeError if that failed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([do, arguments]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._name} ended while it did {do!r}")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"{self._name}, {do!r}:\n{answer['error']}")
        return answer["value"]

    def kill(self) -> None:
        """End it as a power failure would: SIGKILL."""
        self._process.kill()
        self._process.communicate()

    def close(self) -> None:
        """Let it end in order."""
        if self._process.poll() is None:
            self._process.communicate(timeout=120)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, exc_type: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None) -> None:
        if exc is None:
            self.close()
        else:
            self.kill()


async def obey(commands: Commands) -> None:
    """The answering end: do what the lines on standard input say until there are no more."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints is no answer
    while line := await anyio.to_thread.run_sync(sys.stdin.readline):
        do, arguments = json.loads(line)
        try:
            answer: dict[str, Any] = {"value": await commands[do](**arguments)}
        except Exception:
            answer = {"error": traceback.format_exc()}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
