"""Defers: insert-only, within limits, taken back once and for all (server: defers.go, saveDefer.lua, setDeferStatus.lua)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from inngest_gen.testing.server.canonical import canonical
from inngest_gen.testing.server.opcode import Op
from inngest_gen.testing.server.rules.memo import note
from inngest_gen.testing.server.run import DeferEntry, ServerRun

__all__ = ["abort", "add"]

MOST: Final = 20
INPUT_BYTES: Final = 4 * 1024 * 1024
META_BYTES: Final = 32 * 1024


def add(run: ServerRun, op: Op) -> None:
    """Keep a defer. One that is known stays as it is, whatever its status; one beyond the limits is rejected and the run goes on."""
    slug = op.opts.get("fn_slug") or ""
    given, meta = op.opts.get("input"), op.opts.get("meta")
    size = len(canonical(given).encode()) if isinstance(given, Mapping) else 0
    reason = _refusal(slug, given, size, meta)
    if op.id in run.defers:
        return
    label = str((op.userland or {}).get("id") or op.label)
    if len(run.defers) >= MOST:
        note(run, f"defer {label!r} is rejected and not kept: a run has at most {MOST} (per_run_count)")
        return
    if reason is None and run.book.defer_bytes + size > INPUT_BYTES:
        reason = "aggregate_size"
    entry = DeferEntry(hash=op.id, id=label, function=slug, status="rejected" if reason else "after_run", reason=reason)
    if reason is None:
        entry.input, entry.input_bytes, entry.meta = given, size, meta
        run.book.defer_bytes += size
    else:
        note(run, f"defer {label!r} is rejected: {reason}")
    run.defers[op.id] = entry


def _refusal(slug: object, given: object, size: int, meta: object) -> str | None:
    if not slug or not isinstance(slug, str):
        return "invalid_opts"
    if not isinstance(given, Mapping):
        return "invalid_input"
    if size > INPUT_BYTES:
        return "per_defer_size"
    if meta is not None and not isinstance(meta, Mapping):
        return "invalid_meta"
    if meta is not None and len(canonical(meta).encode()) > META_BYTES:
        return "meta_size"
    return None


def abort(run: ServerRun, op: Op) -> bool:
    """Take a defer back; says whether there was one. It is never undone."""
    entry = run.defers.get(str(op.opts.get("target_hashed_id") or ""))
    if entry is None:
        note(run, f"error handling defer abort: nothing to abort for {op.label!r}")
        return False
    entry.status = "aborted"
    run.book.defer_bytes -= entry.input_bytes
    entry.input, entry.input_bytes = None, 0
    return True
