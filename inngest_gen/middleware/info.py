"""What hooks are told: frozen values, made for them.

Promises: exactly the attributes written here, nothing live behind them: no context, no step tools, no defers.
A hook that changes something gives a changed copy: `dataclasses.replace(step, id="other")`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from inngest_gen.calls.request import Parent
from inngest_gen.event import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """The run: whose it is (`slug` is "{app_id}-{function_id}"), what started it, and which attempt of the handler this is, from 0.

    `kind` is "main", "failure" (an `on_failure` handler) or "defer" (a deferred function, whose `parents` are the runs that deferred this one).
    `events` are as the hooks of `transform_function_input` left them; in those hooks, as they came. `code` has fingerprints of the code that runs, by
    "module.name": of the handler, its sub-flows, and hooks that can lead it another way; None: it cannot be told.
    """

    app_id: str
    function_id: str
    slug: str
    kind: Literal["main", "failure", "defer"]
    run_id: str
    attempt: int
    max_attempts: int
    events: tuple[Event, ...]
    parents: tuple[Parent, ...] = ()
    code: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionInput:
    """What the handler will get: `events`. The `run` is for information."""

    run: RunInfo
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepPlace:
    """Where a handler yielded a step.

    `position` counts its steps from 0, `index` the repeats of the id, `path` names the branch and sub-flow ("": the handler itself), and `at`
    is "file:line".
    """

    position: int
    index: int
    path: str
    at: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepInfo:
    """A step. `kind` is its kind ("step.run", "step.sleep", ...), `name` what is shown, `hash` the record's key.

    `memoized` says whether its result is recorded, and no body runs for this call of the hook. `attempt` counts the attempts of a body from 0; it
    is None in a call that is not about an attempt. `args` and `kwargs` are what the function of `step.run` is called with, `data` is what
    `step.invoke` and `step.send_signal` carry; other steps have none. `options` are what else it was made with, such as a timeout, for people.
    `place` is told where a recorded result is shown; None elsewhere.
    """

    run: RunInfo
    id: str
    name: str
    kind: str
    hash: str
    memoized: bool
    attempt: int | None = None
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any]
    data: Any = None
    options: Mapping[str, Any] = field(default_factory=dict)
    place: StepPlace | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeferInput:
    """The data of a defer on its way: `function` is the deferred function's slug, `run_id` the run that defers, `data` a JSON object.

    Where it leaves (`transform_defer_input`), `id` is the defer's id and `meta` its meta. Where it arrives (`restore_defer_input`), `id` is None:
    it is not carried along, and `meta` is that of the event.
    """

    id: str | None
    function: str
    run_id: str
    data: Mapping[str, Any]
    meta: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeferInfo:
    """A defer of the run `run_id` on its way to the engine: what is to become of it.

    `status` is "made" (`function`, a slug, is to start when the run ends), "aborted" (it is taken back), or "rejected": it is skipped for `reason`.
    `hash` is the engine's key of its `id`; `step` is the hash of the step whose body made it, None for one of the handler's own or a taken back
    one. `name` and `experiment` are those of a made one.
    """

    run_id: str
    id: str
    hash: str
    function: str | None
    status: Literal["made", "aborted", "rejected"]
    name: str | None = None
    reason: str | None = None
    step: str | None = None
    experiment: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestInfo:
    """A call from an Inngest server, as it came. Names of `headers` are lower case."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    slug: str
    """The slug of the function that is called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyInfo:
    """What answers it."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """Where a middleware was declared: for a whole app, or (`function_id`) for one function of it."""

    app_id: str
    function_id: str | None = None
