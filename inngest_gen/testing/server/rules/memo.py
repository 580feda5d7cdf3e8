"""Memoizing steps and asking the function again (server: saveResponse.lua, maybeEnqueueDiscoveryStep)."""

from __future__ import annotations

from typing import Final

from inngest_gen.testing.server.job import Job
from inngest_gen.testing.server.run import ServerRun, StepEntry
from inngest_gen.testing.server.world import World

__all__ = ["EarlyFailure", "ask_again", "memoize", "note", "unplan"]

STATE_BYTES: Final = 32 * 1024 * 1024


class EarlyFailure(Exception):
    """The run fails at once, without another attempt: the server's words for it."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(name, message)
        self.name: str = name
        self.message: str = message


def note(run: ServerRun, text: str) -> None:
    """Write down what the server would have logged."""
    run.notes.append(text)


def memoize(run: ServerRun, hash: str, label: str, op: str, memo: str, now: float) -> bool:
    """Keep a step's result; the first one stays. Says whether other steps of its group are still open."""
    if hash in run.steps:
        note(run, f"step {label!r} is memoized already; the first result stays")
    elif not run.ended:
        run.steps[hash] = StepEntry(hash=hash, id=label, op=op, memo=memo, at=now)
        run.book.state_bytes += len(memo.encode())
    run.book.pending.discard(hash)
    return bool(run.book.pending)


def check_state(run: ServerRun, memo: str) -> None:
    """Raise EarlyFailure if a result would be too much for the run's state."""
    if run.book.state_bytes + len(memo.encode()) > STATE_BYTES:
        raise EarlyFailure("InngestErrStateOverflowed", f"The function run exceeded the state size limit of {STATE_BYTES} bytes.")


def unplan(run: ServerRun, version: int, *, plan_only: bool) -> None:
    """Let steps be run as they are found again, now that a group is over. `version` and `plan_only` are as the call was sent."""
    if version >= 2 and plan_only:
        run.book.plan_only = False


def ask_again(world: World, run: ServerRun, hash: str, now: float, *, race: bool, group: str | None, suffix: str = "") -> None:
    """Let the function be called once more, after a step. Members of one group ask under one key, so that one call comes of it."""
    key = f"{group}-discover" if group and not race and suffix != "-failure" else f"{hash}{suffix}"
    world.enqueue(run, key, Job(kind="call", at=now, outgoing=hash, race=race))
