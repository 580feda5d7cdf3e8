"""Looks: questions about a whole history, answered by replaying it while the session stands where it stands."""

from __future__ import annotations

from dataclasses import dataclass

from inngest_gen.debugger import scene
from inngest_gen.debugger.frames import digests, frame_of
from inngest_gen.debugger.replay import Replay
from inngest_gen.debugger.stop import Change, Mark, Unstable
from inngest_gen.debugger.walker import Walker, differences


@dataclass(frozen=True, slots=True, kw_only=True)
class LastChange:
    """Where a local last became what it is: at stop `number`, from the text `before` (None: it was not there) to `after` (None: it went)."""

    number: int
    name: str
    before: str | None
    after: str | None
    mark: Mark


async def last_change(walker: Walker, frame: int, name: str) -> LastChange | None:
    """Tell at which stop, up to this one, a local of a frame last became what it is; None where there was never such a local."""
    was: tuple[bytes, str] | None = None
    change: LastChange | None = None

    def visit(replay: Replay, mark: Mark) -> bool:
        nonlocal was, change
        live = frame_of(replay, frame)
        values = {} if live is None else live.values()
        now = digests({name: values[name]}).get(name) if name in values else None
        if (now and now[0]) != (was and was[0]):
            change = LastChange(number=mark.number, name=name, before=was and was[1], after=now and now[1], mark=mark)
        was = now
        return mark.number >= walker.number

    await walker.scan(0, visit, first=True)
    return change


async def changes_since(walker: Walker, number: int) -> tuple[Change, ...]:
    """Tell which locals of the stack are not as they were at another stop."""
    now = scene.stack_digests(await walker.current())
    other = await walker.another(number)
    try:
        return scene.changes(scene.digests_of(other), now)
    finally:
        other.drop()


async def unstable(walker: Walker) -> tuple[Unstable, ...]:
    """Replay the history twice and tell what is not the same: locals, and the first intent."""
    first: dict[int, tuple[Mark, scene.Digests]] = {}
    told: list[Unstable] = []

    def take(replay: Replay, mark: Mark) -> bool:
        first[mark.number] = mark, scene.stack_digests(replay)
        return False

    def compare(replay: Replay, mark: Mark) -> bool:
        then = first.get(mark.number)
        if then is None or then[0] != mark:
            was = "nothing" if then is None else _said(then[0])
            told.append(Unstable(number=mark.number, frame=mark.flow, name=None, first=was, now=_said(mark)))
            return True
        told.extend(differences(mark.number, then[1], scene.stack_digests(replay)))
        return False

    await walker.scan(0, take, first=True)
    await walker.scan(0, compare, first=True)
    return tuple(told)


def _said(mark: Mark) -> str:
    return f"{mark.kind or mark.state} {mark.id or ''}".rstrip() + (f" at {mark.at}" if mark.at else "")
