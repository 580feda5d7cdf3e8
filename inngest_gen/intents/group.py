"""Groups: several branches at once, all of them or the first. A branch is a step, a sub-flow, or another group."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Generic, NamedTuple, TypeVar

from inngest_gen.errors import MisuseError
from inngest_gen.intents.intent import Intent, describe
from inngest_gen.intents.step import Step

V = TypeVar("V")


class Winner(NamedTuple, Generic[V]):
    """What a race gives: `key` is the winner's index (positional branches) or name (named ones), `value` its result."""

    key: int | str
    value: V


class Group(Intent):
    """Branches that run at once: `keys` are their indexes or names. Made by `ctx.group.parallel` and `ctx.group.race`."""

    __slots__ = ("branches", "keys", "named")

    kind = "group"

    def __init__(self, positional: tuple[Any, ...], named: dict[str, Any]) -> None:
        if positional and named:
            raise MisuseError(f"{self.kind} takes its branches by position or by name, not both")
        self.named: bool = bool(named)
        self.keys: tuple[int | str, ...] = tuple(named) if named else tuple(range(len(positional)))
        self.branches: tuple[Any, ...] = tuple(named.values()) if named else positional
        for key, branch in zip(self.keys, self.branches, strict=True):
            if not isinstance(branch, (Step, Group, AsyncGenerator)):
                raise MisuseError(f"branch {key!r} of {self.kind} must be a step, a group or a sub-flow, not {describe(branch)}")
        if len({id(branch) for branch in self.branches}) != len(self.branches):
            raise MisuseError(f"{self.kind} got the same branch twice: make one for each")


class Parallel(Group):
    """Waits for all its branches; gives a tuple, or a dict where they are named."""

    __slots__ = ("return_exceptions",)
    kind = "group.parallel"

    def __init__(self, positional: tuple[Any, ...], named: dict[str, Any], *, return_exceptions: bool = False) -> None:
        super().__init__(positional, named)
        self.return_exceptions: bool = return_exceptions


class Race(Group):
    """Waits for the first branch that settles, by success or failure, and ends the others; gives a Winner."""

    __slots__ = ()
    kind = "group.race"

    def __init__(self, positional: tuple[Any, ...], named: dict[str, Any]) -> None:
        super().__init__(positional, named)
        if not self.branches:
            raise MisuseError("group.race needs at least one branch: nothing could ever win")
