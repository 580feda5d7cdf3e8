"""The events that the end of a run, a defer and an invoke make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from inngest_gen.ids import deferred_event_id

DEFERRED: Final = "inngest/deferred.schedule"
INVOKED: Final = "inngest/function.invoked"
FAILED: Final = "inngest/function.failed"
CANCELLED: Final = "inngest/function.cancelled"
FINISHED: Final = "inngest/function.finished"

NO_FINISH_EVENTS: Final = frozenset({FAILED, FINISHED})
"""Runs that these events started emit none of their own (I42), or a failing failure handler would go on for ever."""


def deferred_event(
    run_id: str, parent_slug: str, hash: str, slug: str, data: Mapping[str, Any], experiment: Any
) -> tuple[str, dict[str, Any]]:
    """Give the id and the data of the event that starts a deferred run (B26, L06). The id makes a second scheduling a no-op."""
    inner: dict[str, Any] = {"fn_slug": slug, "parent_fn_slug": parent_slug, "parent_run_id": run_id}
    if experiment is not None:
        inner["experiment"] = experiment
    return deferred_event_id(run_id, hash), {**data, "_inngest": inner}


def finish_data(
    slug: str, run_id: str, event: Mapping[str, Any], status: str, error: Mapping[str, Any] | None, result: Any
) -> dict[str, Any]:
    """Give the data of function.finished, function.failed and function.cancelled (I40, I41, I43)."""
    data: dict[str, Any] = {
        "function_id": slug,
        "run_id": run_id,
        "event": event,
        "events": [event],
        "_inngest": {"status": status.capitalize()},
    }
    if error is not None:
        text = f"{error['name']}: {error['message']}" if error.get("message") else error["name"]
        data["error"] = {"error": text, **error}
    else:
        data["result"] = result
    return data
