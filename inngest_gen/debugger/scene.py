"""Scene: describes where a replay stands, as a Stop or, in a line, as a Mark. It looks at the driver's tree and at frames, and runs nothing."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Final

from inngest_gen import jsonvalue
from inngest_gen.app.context import Context
from inngest_gen.calls.failure import Failure
from inngest_gen.debugger.code import likely
from inngest_gen.debugger.frames import LiveFrame, current_flow, digests, flows, stack
from inngest_gen.debugger.lane import lazy_of
from inngest_gen.debugger.replay import Replay
from inngest_gen.debugger.stop import Change, Divergence, End, Frame, Intent, Mark, Node, Reason, Stop
from inngest_gen.debugger.variables import listed, text
from inngest_gen.driver.flow import FlowNode, GroupNode, Leaf, branch_key, flow_name, flow_of, join_path
from inngest_gen.driver.held import where
from inngest_gen.driver.standing import Standing
from inngest_gen.driver.turn import Diverged, Raised, Returned
from inngest_gen.errors import InngestGenError
from inngest_gen.ids import step_hash
from inngest_gen.intents.defer import Abort, Defer
from inngest_gen.intents.done import Done
from inngest_gen.intents.group import Group
from inngest_gen.intents.intent import describe
from inngest_gen.intents.step import Run, Step
from inngest_gen.intents.using import Using
from inngest_gen.recording.recording import Recording

Digests = Mapping[int, Mapping[str, tuple[bytes, str]]]
"""By frame and local: what tells whether it has changed, and its text."""

_FLOWS: Final = 200
"""Of so many flows at once the locals are compared from stop to stop; of more, only those of the stack."""
_INCOMPLETE: Final = -1
_NODES: Final = 2_000
_DEEP: Final = 100
_SHOWN: Final = 6


def stop_of(replay: Replay, reason: Reason, before: Digests | None, now: Digests) -> Stop:
    """Describe where a replay stands. `before` are the digests of the stop before, `now` those of the stack."""
    live = stack(replay)
    frames = tuple(frame(one) for one in live)
    intent = at = resumes = None
    node = None
    if replay.has_begun:
        standing = replay.execution.standing()
        if standing.flow is not None and not standing.flow.ended and replay.state != "start":
            intent = intent_of(replay, standing)
            resumes = _resumes(standing)
        if standing.root is not None:
            node = _Tree(replay, standing).node()
    if live:
        at = live[0].place
    return Stop(
        number=replay.number,
        history=replay.history.name,
        state=replay.state,
        reason=reason,
        intent=intent,
        at=at,
        frames=frames,
        tree=node,
        settled=replay.settled,
        changed=() if before is None else changes(before, now),
        resumes=resumes,
        lazy=lazy_of(replay),
        output=replay.tape.output(),
        end=end_of(replay),
        divergence=divergence_of(replay),
        notes=(*replay.notes, *_left_over(replay)),
    )


def _left_over(replay: Replay) -> list[str]:
    """At the last stop: name the steps which the record holds and the handler did not ask for."""
    if not replay.is_last or not replay.has_begun:
        return []
    steps = replay.history.steps
    unused = [steps[hash].id for hash in replay.execution.unused() if hash in steps]
    if not unused:
        return []
    more = "" if len(unused) <= _SHOWN else ", …"
    return [f"the record holds {len(unused)} step(s) that were not asked for: {', '.join(unused[:_SHOWN])}{more}"]


def mark_of(replay: Replay) -> Mark:
    """Describe where a replay stands in a line."""
    number, state = replay.number, replay.state
    if not replay.has_begun or state == "start" or replay.ended is not None:
        return Mark(number=number, state=state, raised=isinstance(replay.ended, Raised))
    execution = replay.execution
    standing = execution.standing()
    flow, intent = standing.flow, standing.intent
    is_bare = state == "frontier" and replay.frontier() is None  # all that it waits for was abandoned
    if flow is None or flow.ended:
        return Mark(number=number, state=state, frontier=is_bare)
    kind, id, hash = _named(intent)
    path = flow.path
    if hash is not None and isinstance(intent, Step):
        leaf = execution.pending.get(hash)
        path = path if leaf is None else leaf.op.path
    history = replay.history
    step = hash if isinstance(intent, Step) else None
    memoized = step is not None and history.has(step)
    return Mark(
        number=number, state=state, kind=kind, id=id, hash=hash, at=where(flow.gen), flow=flow.number, function=flow_name(flow.gen), path=path,
        in_group=isinstance(flow.waiting, GroupNode) and flow.waiting.intent is not intent,
        memoized=memoized, failed=step is not None and history.failed(step),
        frontier=is_bare or (step is not None and not memoized and step == replay.frontier()),
    )  # fmt: skip


def ancestors(replay: Replay) -> list[int]:
    """Give the numbers of the current flow and of those that wait for it, innermost first."""
    numbers: list[int] = []
    flow = current_flow(replay) if replay.has_begun else None
    while flow is not None:
        numbers.append(max(flow.number, 0))
        flow = None if flow.parent is None else flow_of(flow.parent)
    return numbers


# Frames and locals.


def frame(live: LiveFrame) -> Frame:
    """Describe a frame."""
    return Frame(id=live.id, function=live.function, path=live.path, at=live.place, locals=listed(live.values()))


def digests_of(replay: Replay, known: Digests | None = None) -> dict[int, Mapping[str, tuple[bytes, str]]]:
    """Take down what tells later which locals have changed. `known` are frames for which that is done already."""
    every = flows(replay)
    known = known or {}
    if len(every) > _FLOWS:
        return {_INCOMPLETE: {}, **{one.id: known.get(one.id) or digests(one.values()) for one in stack(replay)}}
    found: dict[int, Mapping[str, tuple[bytes, str]]] = {}
    for flow in every:
        if flow.number in known:
            found[flow.number] = known[flow.number]
            continue
        python = getattr(flow.gen, "ag_frame", None)
        if python is not None:
            found[flow.number] = digests({name: value for name, value in dict(python.f_locals).items() if not name.startswith(".")})
    return found


def stack_digests(replay: Replay) -> dict[int, dict[str, tuple[bytes, str]]]:
    """Take down the locals of the stack."""
    return {one.id: digests(one.values()) for one in stack(replay)}


def changes(before: Digests, now: Digests) -> tuple[Change, ...]:
    """Tell which locals of frames that are there now are not as they were."""
    found: list[Change] = []
    for id, values in now.items():
        if id < 0 or (_INCOMPLETE in before and id not in before):
            continue
        then = before.get(id, {})
        found += [
            Change(frame=id, name=name, before=None if name not in then else then[name][1], after=value[1])
            for name, value in values.items()
            if name not in then or then[name][0] != value[0]
        ]
        found += [Change(frame=id, name=name, before=value[1], after=None) for name, value in then.items() if name not in values]
    return tuple(found)


# The intent.


def _named(intent: object) -> tuple[str, str | None, str | None]:
    """Give an intent's kind, id and hash."""
    if isinstance(intent, Step):
        return intent.kind, intent.id, intent.hash
    if isinstance(intent, Defer):
        return intent.kind, intent.id, step_hash(intent.id)
    if isinstance(intent, Abort):
        return intent.kind, intent.id, intent.handle.hash
    if isinstance(intent, (Group, Done, Using)):
        return intent.kind, None, None
    if isinstance(intent, AsyncGenerator):
        return "sub-flow", flow_name(intent), None
    return "mistake", None, None


def intent_of(replay: Replay, standing: Standing) -> Intent:
    """Describe the intent that came last."""
    intent, flow = standing.intent, standing.flow
    kind, id, hash = _named(intent)
    path = "" if flow is None else flow.path
    if not isinstance(intent, Step):
        return Intent(kind=kind, text=_text(intent), id=id, hash=hash, path=path)
    leaf = None if hash is None else replay.execution.pending.get(hash)
    branch = None
    if leaf is not None:
        path = leaf.op.path
        if isinstance(leaf.parent, GroupNode):
            branch = branch_key(leaf.parent, leaf.slot)
    history = replay.history
    memo = None if hash is None else history.outcome(hash)
    missing = None
    if hash is not None and memo is None:
        missing = history.missing(hash, at_frontier=replay.state == "frontier" or replay.frontier() == hash)
    return Intent(
        kind=kind, text=_text(intent), id=id, name=intent.name, hash=hash, index=None if leaf is None else leaf.op.index,
        position=None if leaf is None else leaf.op.position, path=path, branch=branch, made_at=intent.made_at, options=intent.options(),
        memo=memo, missing=missing,
    )  # fmt: skip


def _text(intent: object) -> str:
    """Say an intent in a line."""
    if isinstance(intent, Run):
        return f"{describe(intent)} {_call(intent.fn, intent.args, intent.kwargs)}"
    if isinstance(intent, Step):
        options = ", ".join(f"{name}={text(value, 60)}" for name, value in intent.options().items())
        return f"{describe(intent)} {options}".rstrip()
    if isinstance(intent, Defer):
        return f"{describe(intent)} {getattr(intent.function, 'deferred_slug', '?')} {text(intent.data, 80)}"
    if isinstance(intent, Done):
        return f"{intent.kind} {text(intent.value)}"
    if isinstance(intent, Using):
        return f"{intent.kind} {type(intent.manager).__qualname__}"
    if isinstance(intent, Group):
        branches = [f"{key}: {_branch(branch)}" for key, branch in list(zip(intent.keys, intent.branches, strict=True))[:_SHOWN]]
        more = ", …" if len(intent.branches) > _SHOWN else ""
        return f"{intent.kind} of {len(intent.branches)} ({', '.join(branches)}{more})"
    if isinstance(intent, Abort):
        return describe(intent)
    if isinstance(intent, AsyncGenerator):
        return f"sub-flow {_branch(intent)}"
    return text(intent)


def _branch(branch: object) -> str:
    if isinstance(branch, Step):
        return describe(branch)
    if isinstance(branch, Group):
        return branch.kind
    python = getattr(branch, "ag_frame", None)
    given: dict[str, Any] = {}
    if python is not None and inspect.isasyncgen(branch) and not branch.ag_running:
        names = python.f_code.co_varnames[: python.f_code.co_argcount + python.f_code.co_kwonlyargcount]
        values = python.f_locals
        given = {name: values[name] for name in names if name in values and not issubclass(type(values[name]), Context)}
    return f"{flow_name(branch)}({', '.join(f'{name}={text(value, 40)}' for name, value in given.items())})"


def _call(function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    name = function.__qualname__ if inspect.isfunction(function) or inspect.isbuiltin(function) else text(function, 60)
    given = [text(value, 40) for value in args if not issubclass(type(value), Context)]
    given += [f"{key}={text(value, 40)}" for key, value in kwargs.items()]
    return f"{name}({', '.join(given)})"


def _resumes(standing: Standing) -> str | None:
    if standing.resume is None or isinstance(standing.intent, Done):
        return None
    error, value = standing.resume
    return text(value) if error is None else f"raises {text(error)}"


# The tree.


class _Tree:
    """Describes the tree of what a run is doing, down to so many nodes."""

    def __init__(self, replay: Replay, standing: Standing) -> None:
        self._replay = replay
        self._standing = standing
        self._left = _NODES

    def node(self) -> Node:
        root = self._standing.root
        assert root is not None
        return self._flow(root, None, 0)

    def _any(self, node: FlowNode | GroupNode | Leaf, key: int | str | None, depth: int) -> Node:
        self._left -= 1
        if isinstance(node, Leaf):
            return self._leaf(node, key)
        if isinstance(node, GroupNode):
            return self._group(node, key, depth)
        return self._flow(node, key, depth)

    def _flow(self, flow: FlowNode, key: int | str | None, depth: int) -> Node:
        current = flow is self._standing.flow
        state: Any = "unstarted" if not flow.started else "ending" if flow.ending is not None else "running" if current else "waiting"
        children = () if flow.waiting is None or depth > _DEEP else (self._any(flow.waiting, None, depth + 1),)
        return Node(
            kind="flow", label=flow_name(flow.gen), state=state, path=flow.path, key=key, at=where(flow.gen), children=children,
            frame=flow.number if flow.started else 0 if flow.parent is None else None,
        )  # fmt: skip

    def _leaf(self, leaf: Leaf, key: int | str | None) -> Node:
        op = leaf.op
        return Node(
            kind="step", label=describe(op.step), state="waiting", path=op.path, key=key, at=op.at, hash=op.hash,
            memoized=self._replay.history.has(op.hash),
        )  # fmt: skip

    def _group(self, group: GroupNode, key: int | str | None, depth: int) -> Node:
        children: list[Node] = []
        for slot, child in enumerate(group.children):
            if self._left <= 0 or depth > _DEEP:
                children.append(Node(kind="group", label="…", state="waiting"))
                break
            name = branch_key(group, slot)
            if child is not None:
                children.append(self._any(child, name, depth + 1))
                continue
            self._left -= 1
            unstarted = self._standing.is_unstarted(group, slot)
            branch = group.intent.branches[slot]
            kind: Any = "step" if isinstance(branch, Step) else "group" if isinstance(branch, Group) else "flow"
            label = describe(branch) if isinstance(branch, (Step, Group)) else flow_name(branch)
            children.append(
                Node(
                    kind=kind, label=label, state="unstarted" if unstarted else "settled", path=join_path(group.path, f"[{name}]"), key=name
                )
            )
        return Node(kind="group", label=group.intent.kind, state="waiting", path=group.path, key=key, children=tuple(children))


# The end.


def end_of(replay: Replay) -> End | None:
    """Describe how the handler ended, if it has."""
    recording = replay.history.recording
    match replay.ended:
        case Returned(value):
            try:
                same = jsonvalue.encode(value, "the result") == recording.output
            except InngestGenError:
                same = False
            return End(
                how="returned", value=text(value), as_recorded=_as_recorded(recording, same=same and recording.status == "completed")
            )
        case Raised(error, final):
            failure = Failure.of(error)
            recorded = recording.error
            same = recorded is not None and (recorded.name, recorded.message) == (failure.name, failure.message)
            as_recorded = _as_recorded(recording, same=same and recording.status == "failed")
            return End(how="raised", error=failure.to_json(), final=final, as_recorded=as_recorded)
        case _:
            return None


def _as_recorded(recording: Recording, *, same: bool) -> bool | None:
    return same if recording.status in {"completed", "failed"} else None


def divergence_of(replay: Replay) -> Divergence | None:
    """Describe where the replay left the record, if it has."""
    if not isinstance(replay.ended, Diverged):
        return None
    error = replay.ended.error
    cause = likely(error.cause, replay.history.recording, replay.function)
    return Divergence(
        position=error.position,
        recorded=error.recorded,
        recorded_at=error.recorded_at,
        yielded=error.yielded,
        yielded_at=error.yielded_at,
        cause=cause,
        text=str(error).replace(error.cause, cause),
    )
