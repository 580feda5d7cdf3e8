"""The ops of a 206 reply and of a checkpoint: read and checked as the server does (server: pkg/execution/state/opcode.go)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from inngest_gen.testing.server.canonical import canonical

__all__ = ["LAZY", "OPCODES", "PLANNED", "PRIORITY", "SYNC", "Op", "read_ops"]

OPCODES: Final = frozenset({
    "None", "Step", "StepRun", "StepError", "StepPlanned", "Sleep", "WaitForEvent", "InvokeFunction", "AIGateway", "Gateway", "WaitForSignal",
    "RunComplete", "StepFailed", "SyncRunComplete", "DiscoveryRequest", "DeferAdd", "DeferAbort",
})  # fmt: skip
SYNC: Final = frozenset({
    "Step", "StepRun", "StepPlanned", "RunComplete", "SyncRunComplete", "StepFailed", "DeferAdd", "DeferAbort",
})  # fmt: skip
"""What the server counts as synchronous: a checkpoint with anything else is refused as a whole."""
LAZY: Final = frozenset({"DeferAdd", "DeferAbort"})
PRIORITY: Final = frozenset({"WaitForEvent", "DeferAdd", "DeferAbort"})
PLANNED: Final = frozenset({"AIGateway", "Gateway", "InvokeFunction", "Sleep", "StepPlanned", "WaitForEvent", "WaitForSignal"})
"""What makes several ops a parallel group whose members the server waits for together."""

STEP_BYTES: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Op:
    """One op, as it was sent."""

    op: str
    id: str
    name: str
    display: str | None
    opts: Mapping[str, Any]
    data: Any
    has_data: bool
    error: Mapping[str, Any] | None
    userland: Mapping[str, Any] | None

    @property
    def lazy(self) -> bool:
        """Whether it rides along with others and is no step itself."""
        return self.op in LAZY

    @property
    def race(self) -> bool:
        """Whether the function is asked again after each member of its group, not only after the last."""
        return self.opts.get("parallelMode") == "race"

    @property
    def label(self) -> str:
        """What a person calls it."""
        return self.display or self.name or self.id


def read_ops(value: Any) -> tuple[Op, ...]:
    """Read the ops of a parsed body, an object or an array. Raises ValueError with the server's words; an empty array is one op None."""
    raw = [value] if isinstance(value, Mapping) else value
    if not isinstance(raw, list):
        raise ValueError("error reading generator opcode response: expected JSON object or array")  # noqa: TRY004 - about the reply
    for place, one in enumerate(raw):
        if one is None:
            raise ValueError(f"error validating generator opcode {place}: opcode cannot be null")
    ops = tuple(_read(one) for one in raw)
    return ops or (_read({"op": "None"}),)


def _read(raw: Any) -> Op:
    if not isinstance(raw, Mapping):
        raise ValueError(f"error reading generator opcode response: cannot unmarshal {canonical(raw)[:40]} into an opcode")  # noqa: TRY004
    opcode = raw.get("op", "None")
    if not isinstance(opcode, str) or opcode not in OPCODES:
        raise ValueError(f"error reading generator opcode response: {opcode} does not belong to Opcode values")
    for key in ("id", "name", "displayName"):
        if raw.get(key) is not None and not isinstance(raw[key], str):
            raise ValueError(f"error reading generator opcode response: cannot unmarshal {key} into a string")
    for key in ("error", "userland"):
        if raw.get(key) is not None and not isinstance(raw[key], Mapping):
            raise ValueError(f"error reading generator opcode response: cannot unmarshal {key} into an object")
    opts = raw.get("opts")
    op = Op(
        op=opcode,
        id=raw.get("id") or "",
        name=raw.get("name") or "",
        display=raw.get("displayName"),
        opts=opts if isinstance(opts, Mapping) else {},
        data=raw.get("data"),
        has_data="data" in raw,
        error=raw.get("error"),
        userland=raw.get("userland"),
    )
    _check(op)
    return op


def _check(op: Op) -> None:
    if op.op == "StepError" and op.error is None:
        raise ValueError(f"OpcodeStepError received without Error field set: {op.id}")
    given = op.opts.get("input")
    # An input that is no array is no input to the server.
    if op.op in ("StepRun", "Step") and isinstance(given, list) and len(canonical(given).encode()) > STEP_BYTES:
        raise ValueError(f"error validating generator opcode {op.id}: step input size is greater than the limit")
    if len(output(op).encode()) > STEP_BYTES:
        raise ValueError(f"error validating generator opcode {op.id}: step output size is greater than the limit")


def output(op: Op) -> str:
    """Give what is memoized for a step that this op ends, as JSON: {"data": ...} or {"error": {...}}."""
    if op.op in ("StepError", "StepFailed"):
        return canonical({"error": stored_error(op.error or {})})
    if op.op == "StepRun":
        return canonical({"data": op.data})
    return canonical(op.data) if op.has_data else ""


def stored_error(error: Mapping[str, Any]) -> dict[str, Any]:
    """Give an error with the keys that the server keeps; what is empty is left out."""
    kept: dict[str, Any] = {"name": error.get("name") or "", "message": error.get("message") or ""}
    if error.get("stack"):
        kept["stack"] = error["stack"]
    for key in ("data", "cause"):
        if key in error:
            kept[key] = error[key]
    if error.get("noRetry"):
        kept["noRetry"] = True
    return kept
