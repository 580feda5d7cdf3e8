"""Which of several calls of a run is due, where its branches have gone apart.

The server then calls at the end of each step, so several calls may be under way at once, and all see the same frontier. Promises: what a step led
to is begun or told by the call at that step's end, which is certain; nothing is forgotten, and no body is run by two calls.
Facts: server pkg/execution/executor/executor.go (stackIndex, handleStepFailed, Resume).
"""

from __future__ import annotations

from inngest_gen.driver.execution import Execution
from inngest_gen.driver.flow import Cause, Leaf
from inngest_gen.intents.step import Invoke, WaitForEvent, WaitForSignal
from inngest_gen.protocol.call import WireCall

_WAITS = (Invoke, WaitForEvent, WaitForSignal)


def is_due(wire: WireCall, execution: Execution, cause: Cause | None) -> bool:
    """Say whether what `cause` led to is for this call to begin or to tell.

    It is due to the call that the step led to whose result the handler took last before it; the end of a race's loser leads to nothing. A repeated
    call may find what it told in checkpoints before: steps that came one after the other. Whoever was led here by the last result of all sees to
    everything, lest something be forgotten (ask with `execution.cause`): planned twice, a step still runs once.
    """
    trigger = wire.trigger
    if trigger is None or cause is None:
        return trigger not in execution.delivered
    if trigger == cause.last:
        return True
    now = execution.cause
    if now is None or now.fork != cause.fork or trigger in execution.lost():
        return False
    return cause.fork is None or wire.stack.index(trigger) >= wire.stack.index(cause.fork)


def may_run(wire: WireCall, execution: Execution, leaf: Leaf) -> bool:
    """Say whether a step may run here that no call was made for: where no other call can be at work on it.

    It must be all that the last result led to, and the server must take its failure well. With steps under way that it counts as a group's, it calls
    again after a StepFailed only if this call was for a branch that goes its own way; a wait does not hand that on to the call at its end.
    """
    cause = execution.cause
    if cause is None:
        return True
    trigger = wire.trigger
    if cause != leaf.cause or trigger is None:
        return False
    kind = execution.delivered.get(trigger)
    return kind is not None and not issubclass(kind, _WAITS)
