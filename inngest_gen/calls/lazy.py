"""Lazy operations: what rides on the next message to the engine without holding the handler up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class DeferAdd:
    """Start `function` (its slug) when the run has ended. `hash` is the hashed id; `data` the input as JSON bytes.

    `step` is the hash of the step whose body made it; None: the handler did.
    """

    hash: str
    id: str
    name: str
    function: str
    data: bytes
    meta: Mapping[str, Any] | None = None
    experiment: Any = None
    step: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeferAbort:
    """Take back the defer with the hashed id `hash`, which the engine already has."""

    hash: str
    id: str
    function: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeferRejected:
    """A defer that was skipped and why: for timelines only, it is never sent to a server."""

    hash: str
    id: str
    function: str | None
    reason: str
    step: str | None = None


LazyOp = DeferAdd | DeferAbort | DeferRejected


PriorDefers = dict[str, bool | None]
"""The defers that the engine has, by hashed id: whether each can be aborted; None was skipped when it was made, so that its handle is not active."""
