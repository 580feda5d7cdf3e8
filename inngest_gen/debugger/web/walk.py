"""Walk: every stop of a session from the start to the last, as JSON values in a pool: a Stop and, besides, what is inside its locals, the whole
results, and when the run was there.

Promises: keys that say nothing are left out; what is cut says so; a walk is bounded in stops and in size, whatever the run holds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from inngest_gen import jsonvalue
from inngest_gen.debugger.session import Session
from inngest_gen.debugger.stop import Frame, Intent, Node, Stop, as_json
from inngest_gen.debugger.variables import Variable
from inngest_gen.debugger.web.pool import Pool, Ref

_DEPTH: Final = 4
_CHILDREN: Final = 40
"""How many values of a container are shown, on each of so many levels."""
_NODES: Final = 200
"""How many values are shown inside one local."""
_CLOSED: Final = {"RunLogger", "StepTools", "GroupTools"}
"""What is inside these is nobody's concern."""
_BRANCHES: Final = 60
"""How many branches of a group are shown; those that are done or not begun are left out first."""
_NODE: Final = [one.name for one in dataclasses.fields(Node) if one.name != "children"]
_PRINTED: Final = 4_000
_STACK: Final = 6_000
_RESULT: Final = 4_000
"""How many characters are shown: of what was printed before a stop, of a traceback, of a result."""
_RESULTS: Final = 1_500_000
"""How many characters of results in all: in a run of many steps each gets its share."""


@dataclass(slots=True, kw_only=True)
class Limits:
    """What a page may hold: `stops` of a run; `inside` and `whole`, bytes of the pool past which values are no longer opened, and the walk ends."""

    stops: int = 10_000
    inside: int = 6_000_000
    whole: int = 16_000_000


@dataclass(slots=True, kw_only=True)
class Walked:
    """What a walk has come to: `stops` by their numbers in the pool, `lines` of source by file, `deferred_at` when each defer was made (by hash).

    `cut` says what was left out.
    """

    stops: list[int] = field(default_factory=list)
    lines: dict[str, set[int]] = field(default_factory=dict)
    deferred_at: dict[str, float] = field(default_factory=dict)
    cut: list[str] = field(default_factory=list)


class Walk:
    """Walks through a session that stands at its start. `ended` gives when each step ended, by hash; `begun` when the run began."""

    def __init__(self, session: Session, pool: Pool, limits: Limits, ended: Mapping[str, float], begun: float | None) -> None:
        self._session = session
        self._pool = pool
        self._limits = limits
        self._ended = ended
        self._moment = begun
        self._walked = Walked()
        self._number = -1
        self._locals: dict[tuple[int, str], Ref] = {}
        """The locals as they were, of the frames of the stop before."""
        steps = max(1, len(session.recording.steps))
        self._result_room = max(160, min(_RESULT, _RESULTS // steps))
        self._results: dict[str, dict[str, Any]] = {}

    async def through(self) -> Walked:
        """Go to the last stop."""
        walked, session = self._walked, self._session
        stop = session.stop
        self._take(stop)
        while not stop.is_last:
            if len(walked.stops) >= self._limits.stops or self._pool.size >= self._limits.whole:
                walked.cut.append(f"only the first {len(walked.stops):,} stops are in this page: the run is longer than a page can hold")
                break
            stop = await session.step()
            self._take(stop)
        if self._pool.size >= self._limits.inside:
            walked.cut.append("what is inside the locals is left out of the later stops: there is too much of it for a page")
        return walked

    def _take(self, stop: Stop) -> None:
        for settled in stop.settled:
            at = None if settled.how == "lost" else self._ended.get(settled.hash)
            if at is not None:
                self._moment = at if self._moment is None else max(at, self._moment)
        if stop.intent is not None and stop.intent.kind == "defer" and stop.intent.hash is not None and self._moment is not None:
            self._walked.deferred_at.setdefault(stop.intent.hash, self._moment)
        self._walked.stops.append(self._pool.put(self._stop(stop)))

    def _stop(self, stop: Stop) -> dict[str, Any]:
        places = [stop.at, *[frame.at for frame in stop.frames]]
        for place in places:
            if place is not None:
                self._walked.lines.setdefault(place.file, set()).update((place.line, place.end_line))
        output = [{"stream": one.stream, "text": _cut(one.text, _PRINTED)} for one in stop.output]
        return {
            "number": stop.number,
            "state": stop.state,
            **_said(
                moment=self._moment,
                intent=None if stop.intent is None else self._intent(stop.intent),
                at=as_json(stop.at),
                frames=self._frames(stop),
                tree=None if stop.tree is None else _tree(stop.tree),
                settled=as_json(stop.settled),
                changed=as_json(stop.changed),
                resumes=stop.resumes,
                lazy=[_said(**as_json(one)) for one in stop.lazy],
                output=output,
                end=None if stop.end is None else _said(**{**as_json(stop.end), "error": _error(stop.end.error)}),
                divergence=as_json(stop.divergence),
                notes=list(stop.notes),
            ),
        }

    # The intent.

    def _intent(self, intent: Intent) -> dict[str, Any]:
        value = _said(**{**as_json(intent), "options": _options(intent.options), "memo": None})
        if intent.memo is not None and intent.hash is not None:
            memo = {**as_json(intent.memo), "error": _error(intent.memo.error)}
            value["memo"] = _said(**memo, **self._result(intent.hash))
        return value

    def _result(self, hash: str) -> dict[str, Any]:
        """Give a step's result as JSON text, as far as there is room for it."""
        found = self._results.get(hash)
        if found is None:
            data = self._session.history.data(hash)
            found = self._results[hash] = {} if data is None else {"json": shown(data, self._result_room)}
        return found

    # Locals.

    def _frames(self, stop: Stop) -> list[dict[str, Any]]:
        changed: dict[int, set[str]] = {}
        for change in stop.changed:
            changed.setdefault(change.frame, set()).add(change.name)
        if stop.number != self._number + 1:
            self._locals = {}  # stops were passed over, and what changed before them is not told here
        self._number = stop.number
        now: dict[tuple[int, str], Ref] = {}
        frames = [self._frame(frame, changed.get(frame.id, set()), now) for frame in stop.frames]
        self._locals = now
        return frames

    def _frame(self, frame: Frame, changed: set[str], now: dict[tuple[int, str], Ref]) -> dict[str, Any]:
        for one in frame.locals:
            key = (frame.id, one.name)
            before = self._locals.get(key)
            # What an error's frames hold was never seen before; what is not told as changed is as it was.
            now[key] = self._variable(frame.id, one) if before is None or frame.id < 0 or one.name in changed else before
        return {
            "id": frame.id,
            "function": frame.function,
            **_said(path=frame.path, at=as_json(frame.at)),
            "locals": [now[frame.id, one.name] for one in frame.locals],
        }

    def _variable(self, frame: int, variable: Variable) -> Ref:
        return self._pool.ref(self._opened(frame, variable, _DEPTH, [_NODES]))

    def _opened(self, frame: int, variable: Variable, depth: int, left: list[int]) -> dict[str, Any]:
        """Give a value with what is inside it; `left` is how many more may be shown."""
        value: dict[str, Any] = {"name": variable.name, "text": variable.text, "type": variable.type}
        if not variable.size:
            return value
        value["size"] = variable.size
        if depth <= 0 or left[0] <= 0 or variable.type in _CLOSED or self._pool.size >= self._limits.inside:
            return value
        inside = self._session.variables(frame, variable.path, count=min(_CHILDREN, left[0]))
        left[0] -= len(inside)
        value["inside"] = [self._opened(frame, one, depth - 1, left) for one in inside]
        return value


def shown(data: bytes, room: int) -> dict[str, Any]:
    """Give JSON as indented text, as far as there is room; `size` is how long the whole is, where it was cut."""
    text = orjson.dumps(jsonvalue.decode(data), option=orjson.OPT_INDENT_2).decode()
    return {"text": text} if len(text) <= room else {"text": f"{text[:room]}…", "size": len(text)}


def _error(error: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Give an error without what would take too much room."""
    if error is None:
        return None
    stack, cause = error.get("stack"), error.get("cause")
    return _said(
        name=error.get("name"),
        message=_cut(str(error.get("message") or ""), _PRINTED),
        stack=_cut(stack, _STACK) if isinstance(stack, str) else None,
        cause=_error(cause) if isinstance(cause, Mapping) else None,
    )


def _options(options: Mapping[str, Any]) -> list[dict[str, str]]:
    return [{"name": str(name), "text": _cut(str(value), 200)} for name, value in options.items() if value is not None]


def _tree(node: Node) -> dict[str, Any]:
    children = list(_most_telling(node.children))
    value = _said(**{name: getattr(node, name) for name in _NODE}, children=[_tree(one) for one in children])
    if len(children) < len(node.children):
        value["more"] = len(node.children) - len(children)
    return value


def _most_telling(nodes: Sequence[Node]) -> Iterator[Node]:
    """Leave out branches where there are too many: first those where nothing goes on."""
    left = _BRANCHES - sum(node.state not in {"settled", "unstarted"} for node in nodes)
    taken = 0
    for node in nodes:
        if node.state in {"settled", "unstarted"}:
            left -= 1
            if left < 0:
                continue
        elif taken >= _BRANCHES:
            continue
        taken += 1
        yield node


def _said(**values: Any) -> dict[str, Any]:
    """Leave out what says nothing."""
    return {name: value for name, value in values.items() if value is not None and value not in ("", [])}


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[:room]}… ({len(text):,} characters)"
