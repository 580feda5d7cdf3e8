"""Live: one attempt of one step at the frontier, run for real because the user asked for it.

The body runs in this process and does what it does. Nothing else is told of it: no engine, no server, not the original run.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from inngest_gen.app.function import Function
from inngest_gen.debugger.capture import Tape, capturing, current_tape
from inngest_gen.debugger.history import Edit
from inngest_gen.debugger.replay import Replay
from inngest_gen.debugger.stop import Output
from inngest_gen.driver.attempt import Attempt
from inngest_gen.driver.body import run_body
from inngest_gen.driver.turn import Op
from inngest_gen.errors import MisuseError
from inngest_gen.intents.intent import describe
from inngest_gen.intents.step import Run, Sleep, SleepUntil


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What an attempt came to: the step's `outcome`, None where further attempts are left; with notes, and what the body printed."""

    outcome: Edit | None
    notes: tuple[str, ...] = ()
    output: tuple[Output, ...] = field(default=())


async def run_step(replay: Replay, op: Op, number: int, function: Function) -> Done:
    """Run attempt `number` of a step. Raises MisuseError for a kind that needs an engine."""
    step = op.step
    if isinstance(step, (Sleep, SleepUntil)):
        return Done(outcome=Edit(hash=op.hash, id=step.id, how="live", data=b"null"))
    if not isinstance(step, Run):
        raise MisuseError(f"{describe(step)} needs an engine or a server, which a debugger leaves alone: give it an outcome with `replace`")
    execution = replay.execution
    tape = Tape()
    context = execution.context.copy()
    context.run(current_tape.set, tape)
    with capturing():
        outcome = await run_body(
            step,
            Attempt(execution.run_id, op.hash, number),
            context=context,
            prior_defers=dict(execution.lazy.prior),
            on_misuse=function.app.defer_errors,
            log=execution.lazy.log,
            chain=replay.chain,
        )
    output = tape.output()
    if outcome.failure is None:
        return Done(outcome=Edit(hash=op.hash, id=step.id, how="live", data=outcome.data, lazy=outcome.lazy), output=output)
    limit = replay.history.recording.max_attempts or function.options.retries + 1
    note = f"attempt {number} of {describe(step)} failed: {outcome.failure}"
    if outcome.failure.no_retry or number + 1 >= limit:
        edit = Edit(hash=op.hash, id=step.id, how="live", error=outcome.failure, lazy=outcome.lazy)
        return Done(outcome=edit, notes=(f"{note}; that was the last of {number + 1}",), output=output)
    return Done(outcome=None, notes=(f"{note}; {limit - number - 1} more may be run",), output=output)
