"""Done: how an async generator gives its result."""

from __future__ import annotations

from inngest_gen.intents.intent import Intent


class Done(Intent):
    """Yield it to end the handler or sub-flow with a result, as `return value` would.

    The code after it does not run; `finally` blocks do, and may yield steps. Unlike with `return`, a context manager around it sees
    GeneratorExit, and an `except BaseException` catches it: let it pass.
    """

    __slots__ = ("value",)
    kind = "ig.Done"

    def __init__(self, value: object = None) -> None:
        self.value: object = value

    def __repr__(self) -> str:
        return f"Done({self.value!r})"
