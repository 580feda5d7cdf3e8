"""Stop: where a replay stands, as a value that can be kept, compared and sent.

Promises: everything is text, numbers and further such values, each bounded in size; `to_json` gives it as JSON. Two replays of one history by one
code stop at number n alike, whichever way they came there; what depends on the way is left out of comparisons (`reason`, `hit`, `logged`,
`unstable`).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

from inngest_gen.debugger.variables import Variable

State = Literal["start", "yield", "frontier", "ended", "diverged"]
"""Before the handler's first line; at an intent; at the end of what is recorded; after the handler's end; where the replay left the record."""

Reason = Literal[
    "start", "step", "back", "goto", "run to", "breakpoint", "frontier", "end", "divergence", "edited", "switched", "reloaded", "live", "restart",
]  # fmt: skip
"""Why the session stopped here. "frontier", "end" and "divergence" also where another move would have gone further."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place in the source: `line` to `end_line` of `file`, in `function`."""

    file: str
    line: int
    end_line: int
    function: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A frame of the stack.

    `id` is the flow's number: 0 for the handler, then sub-flows in the order in which they began, the same in each replay; below 0 for the frames of
    an error that left the handler. `path` names the branch.
    """

    id: int
    function: str
    path: str
    at: Place | None
    locals: tuple[Variable, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A local that the last yield's code changed: its text before (None: it was not there) and after (None: it is gone)."""

    frame: int
    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What a step came to, as the history has it.

    `how` is "recorded", "replaced" or "injected" (by hand), or "live" (its body was run in this session). `text` shows the result, `error` is the
    failure as JSON. `rank` is its place in the order of completion; `failed` counts the failed attempts; times are ISO 8601.
    """

    how: Literal["recorded", "replaced", "injected", "live"]
    text: str | None
    error: dict[str, Any] | None
    rank: int
    failed: int = 0
    started: str | None = None
    ended: str | None = None


Missing = Literal["frontier", "later", "abandoned"]
"""Why a step has no outcome in a history."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What the handler, or a sub-flow, asked for.

    `kind` is "step.run", ..., "group.parallel", "group.race", "sub-flow", "defer", "defer abort", "ctx.using", "ig.Done", or "mistake". Steps have
    `id`, `name`, `hash`, `index` (the repeat of the id), `position` and `options`; `text` says the whole in a line, `made_at` where it was made.
    `memo` is the outcome that will be delivered. A step without one has `missing`: "frontier" (it is the first without one, or the
    replay goes no further), "later" (others go on meanwhile) or "abandoned" (the run went on, or ended, without it). `branch` is the key of a
    group's branch.
    """

    kind: str
    text: str
    id: str | None = None
    name: str | None = None
    hash: str | None = None
    index: int | None = None
    position: int | None = None
    path: str = ""
    branch: int | str | None = None
    made_at: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    memo: Recorded | None = None
    missing: Missing | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A part of the tree of what a run is doing: a flow, a group, or a step that waits.

    `state` is "running" (it comes next, or its intent has just come), "waiting" (for what is below it, or for a result), "unstarted", "settled", or
    "ending" (Done was yielded, or its race is lost, and its clean-up is under way). `memoized` says of a step whether its result is in the history.
    `frame` is the flow's number, `key` the branch's key.
    """

    kind: Literal["flow", "group", "step"]
    label: str
    state: Literal["running", "waiting", "unstarted", "settled", "ending"]
    path: str = ""
    key: int | str | None = None
    frame: int | None = None
    at: str | None = None
    hash: str | None = None
    memoized: bool | None = None
    children: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A step that was settled on the way from the stop before: `how` is "result", "error", or "lost" (its race)."""

    id: str
    hash: str
    how: Literal["result", "error", "lost"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deferred:
    """An operation of the lazy lane.

    `state` is "sent" (the engine has it, so a replay skips it: a prior defer) or "waiting" in the buffer; `leaves_with` says which message takes
    it. `by` is the id of the step whose body made it; None: the handler. `fate` is what the recording says has become of it, `run_id` the deferred
    run.
    """

    kind: Literal["defer", "abort", "rejected"]
    id: str
    hash: str
    function: str | None
    state: Literal["sent", "waiting"]
    by: str | None = None
    leaves_with: str | None = None
    fate: str | None = None
    reason: str | None = None
    run_id: str | None = None
    data: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What handler code printed or logged between the stop before and this one."""

    stream: Literal["stdout", "stderr", "log"]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How the handler ended: `value` shows the result; or `error` is what was raised, as JSON, and `final` whether no further attempt may help.

    `as_recorded` says whether the run ended so; None where the recording's run has not ended.
    """

    how: Literal["returned", "raised"]
    value: str | None = None
    error: dict[str, Any] | None = None
    final: bool = False
    as_recorded: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergence:
    """The first place where the replay left the record: both intents with both lines, and the likely cause. `text` says it in a sentence."""

    position: int
    recorded: str | None
    recorded_at: str | None
    yielded: str | None
    yielded_at: str | None
    cause: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unstable:
    """Something that was not the same in two replays of one prefix: a local, or (`name` None) the intent itself.

    It comes from the clock, from randomness or from other state outside `ctx`, and makes a replay unreliable.
    """

    number: int
    frame: int
    name: str | None
    first: str
    now: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Where a replay stands.

    `number` counts stops from 0, before the handler's first line: the n-th stop is at the n-th intent, and a last one is where nothing is left to
    replay (where that is not at an intent). `frames` is the stack, innermost first; `tree` all flows, groups and waiting steps. `resumes` is what
    the flow gets next where that is known and no memo tells it. `hit` are the breakpoints that stopped it, `logged` what logpoints said on the way,
    `passed` what was printed and logged at the stops that the move went past.
    """

    number: int
    history: str
    state: State
    reason: Reason = field(compare=False)
    intent: Intent | None = None
    at: Place | None = None
    frames: tuple[Frame, ...] = ()
    tree: Node | None = None
    settled: tuple[Settled, ...] = ()
    changed: tuple[Change, ...] = ()
    resumes: str | None = None
    lazy: tuple[Deferred, ...] = ()
    output: tuple[Output, ...] = ()
    end: End | None = None
    divergence: Divergence | None = None
    notes: tuple[str, ...] = ()
    hit: tuple[int, ...] = field(default=(), compare=False)
    logged: tuple[str, ...] = field(default=(), compare=False)
    passed: tuple[Output, ...] = field(default=(), compare=False)
    unstable: tuple[Unstable, ...] = field(default=(), compare=False)

    @property
    def is_last(self) -> bool:
        """Whether nothing is left to replay from here."""
        return self.state in {"frontier", "ended", "diverged"}

    def to_json(self) -> dict[str, Any]:
        """Give it as JSON values."""
        value: dict[str, Any] = as_json(self)
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A stop in a line, for timelines: cheap enough to have of every stop of a long run.

    `memoized` says of a step that it has a memo, `failed` that this is an error, `raised` of the end that it is one. `flow` is the number of the
    flow whose intent it is, and `function` its name; `in_group` says that it is a branch of a group which that flow has yielded. `frontier` is true
    of one stop at most: at the first step without an outcome.
    """

    number: int
    state: State
    kind: str | None = None
    id: str | None = None
    hash: str | None = None
    at: str | None = None
    flow: int = 0
    function: str = ""
    path: str = ""
    in_group: bool = False
    memoized: bool = False
    failed: bool = False
    raised: bool = False
    frontier: bool = False


def as_json(value: Any) -> Any:
    """Give a value of this module as JSON values."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {one.name: as_json(getattr(value, one.name)) for one in dataclasses.fields(value)}
    if isinstance(value, (list, tuple)):
        return [as_json(one) for one in value]
    if isinstance(value, dict):
        return {name: as_json(one) for name, one in value.items()}
    return value
