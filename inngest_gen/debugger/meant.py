"""What a user means: which step, by its id, its hash or the stop; which error, by a value or a text. Refuses to choose between several."""

from __future__ import annotations

import re
from typing import Final

from inngest_gen.calls.failure import Failure
from inngest_gen.debugger.history import History
from inngest_gen.debugger.replay import Replay
from inngest_gen.debugger.stop import Stop
from inngest_gen.errors import MisuseError

_HASH: Final = re.compile(r"[0-9a-f]{40}")


def step_meant(replay: Replay, stop: Stop, step: str | None) -> tuple[str, str]:
    """Give the hash and the id of a step of a replay's history that has an outcome or is asked for here: by its hash or id; None: that of the stop.

    Raises MisuseError where there is none, or more than one.
    """
    history = replay.history
    here = {hash: leaf.op.step.id for hash, leaf in replay.execution.pending.items()} if replay.has_begun else {}
    if step is None:
        intent = stop.intent
        own = None if intent is None else intent.hash
        meant = [own] if own is not None and own in here else [hash for hash in here if not history.has(hash)]
        if len(meant) != 1:
            raise MisuseError("there is not one step at this stop: say which, by its id or its hash")
        return meant[0], here[meant[0]]
    known = {
        **{one.hash: one.id for one in history.recording.steps},
        **{edit.hash: edit.id for edit in history.edits},
        **here,
    }
    meant = [hash for hash, id in known.items() if step in {hash, id}]
    if not meant:
        raise MisuseError(f"no step of this run has the id or the hash {step!r}")
    if len(meant) > 1:  # of several with one id that which is asked for here is meant
        meant = [hash for hash in meant if hash in here] or meant
    if len(meant) > 1:
        raise MisuseError(f"{len(meant)} steps have the id {step!r}: say which, by its hash")
    if not history.has(meant[0]) and meant[0] not in here:
        raise MisuseError(f"step {step!r} has no outcome and is not asked for here: go to where it is")
    return meant[0], known[meant[0]]


def hash_meant(history: History, step: str) -> str:
    """Give the hash of a step of a history by its hash or its id. Raises MisuseError where none has that id, or more than one."""
    known = {**{one.hash: one.id for one in history.recording.steps}, **{edit.hash: edit.id for edit in history.edits}}
    if step in known or _HASH.fullmatch(step):
        return step
    meant = [hash for hash, id in known.items() if id == step]
    if len(meant) != 1:
        raise MisuseError(
            f"{len(meant)} steps have the id {step!r}: say which, by its hash"
            if meant
            else f"no step of this run has the id or the hash {step!r}"
        )
    return meant[0]


def failure_meant(error: Failure | BaseException | str) -> Failure:
    """Give an error as a value: text is read as "Name: message"."""
    if isinstance(error, Failure):
        return error
    if isinstance(error, BaseException):
        return Failure.of(error)
    name, colon, message = error.partition(":")
    if colon and name.isidentifier():
        return Failure(name=name, message=message.strip())
    return Failure(name="Error", message=error)
