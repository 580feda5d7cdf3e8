"""Memo: what the record holds of one finished step."""

from __future__ import annotations

from typing import Any

from inngest_gen.errors import StepError


class Memo:
    """A finished step: `error` where it failed for good, else `data`, its result as JSON values.

    The driver hands `data` to user code as it is: give each replay its own. `position` is the step's place in the order of yields and
    `kind` the kind of intent, both None where the record doesn't tell (the wire). A step of a branch has no position but a `path`: the order
    between branches is not one to be held to, since a branch that failed by itself comes further when the handler is tried again.
    `label` is the step's id and `at` where it was yielded ("file:line"), for messages.
    """

    # A plain slotted class: one is made for each recorded step of each replay, and a frozen dataclass costs three times as much.
    __slots__ = ("at", "data", "error", "kind", "label", "path", "position")

    def __init__(
        self,
        data: Any = None,
        error: StepError | None = None,
        position: int | None = None,
        kind: str | None = None,
        label: str | None = None,
        at: str | None = None,
        path: str | None = None,
    ) -> None:
        self.data: Any = data
        self.error: StepError | None = error
        self.position: int | None = position
        self.kind: str | None = kind
        self.label: str | None = label
        self.at: str | None = at
        self.path: str | None = path

    def __repr__(self) -> str:
        return f"Memo(error={self.error!r})" if self.error is not None else f"Memo({self.data!r})"
