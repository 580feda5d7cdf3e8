"""The ops after which a run waits: sleeps, events, signals, invoked functions (server: handleGeneratorSleep and its neighbours)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from inngest_gen.testing.server import event as events
from inngest_gen.testing.server import sessions, timespan
from inngest_gen.testing.server.event import OWN
from inngest_gen.testing.server.expression import Expression, UnknownExpression
from inngest_gen.testing.server.job import Job
from inngest_gen.testing.server.opcode import Op
from inngest_gen.testing.server.rules import waits
from inngest_gen.testing.server.rules.memo import EarlyFailure
from inngest_gen.testing.server.run import ServerRun
from inngest_gen.testing.server.world import Pause, World

__all__ = ["begin"]


def begin(world: World, run: ServerRun, op: Op, label: str, group: str | None, now: float) -> None:
    """Let a run wait. Raises ValueError for an op that is malformed, EarlyFailure where the run is to fail at once."""
    if op.op == "Sleep":
        _sleep(world, run, op, label, group, now)
        return
    pause = Pause(run=run, op=op.op, hash=op.id, id=label, expires=now, race=op.race, group=group)
    if op.op == "WaitForEvent":
        _wait_for_event(pause, op, now)
        waits.open_pause(world, pause)
    elif op.op == "WaitForSignal":
        _wait_for_signal(world, pause, op, now)
    else:
        _invoke(world, pause, op, now)


def _text(op: Op, key: str) -> str:
    value = op.opts.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"unable to parse opts: {key} must be a string")  # noqa: TRY004 - about the reply
    return value


def _sleep(world: World, run: ServerRun, op: Op, label: str, group: str | None, now: float) -> None:
    text = _text(op, "duration") or op.name
    until = timespan.sleep_end(text, now)
    if until - now > timespan.LIMIT_S:
        raise EarlyFailure(
            "InngestErrTimeoutTooLong", f'The sleep "{text}" ends more than one year in the future; sleeps may last at most one year.'
        )
    world.enqueue(run, op.id, Job(kind="sleep", at=until, outgoing=op.id, name=label, race=op.race, group=group))


def _wait_for_event(pause: Pause, op: Op, now: float) -> None:
    pause.event = _text(op, "event") or op.name
    if not pause.event:
        raise ValueError("An event name must be provided when waiting for an event")
    condition, timeout = _text(op, "if"), _text(op, "timeout")
    if condition:
        try:
            pause.expression = Expression(condition)
        except UnknownExpression as unknown:
            raise EarlyFailure("InvalidExpression", f"Wait for event If expression failed to compile: {unknown}") from None
    # No timeout: the TypeScript SDK's way to write one that is over.
    pause.expires = timespan.expiry(timeout, now) if timeout else now
    if pause.expires - now > timespan.LIMIT_S:
        raise EarlyFailure(
            "InngestErrTimeoutTooLong",
            f'The wait-for-event timeout "{timeout}" expires more than one year in the future; timeouts may last at most one year.',
        )


def _wait_for_signal(world: World, pause: Pause, op: Op, now: float) -> None:
    pause.signal = _text(op, "signal")
    if not pause.signal:
        raise ValueError("signal name is empty")
    timeout = _text(op, "timeout")
    pause.expires = timespan.expiry(timeout, now) if timeout else now + timespan.YEAR_S
    rivals = [one for one in world.pauses if one.signal == pause.signal and (one.run, one.hash) != (pause.run, pause.hash)]
    if rivals and _text(op, "conflict") != "replace":
        raise EarlyFailure("Error", "Signal conflict; signal wait already exists for another run")
    for rival in rivals:
        rival.signal = None  # it is left to its timeout
    waits.open_pause(world, pause)


def _invoke(world: World, pause: Pause, op: Op, now: float) -> None:
    run, payload = pause.run, op.opts.get("payload")
    function, timeout = _text(op, "function_id"), _text(op, "timeout")
    given: Any = {} if payload is None else payload
    if not isinstance(given, Mapping) or not isinstance(given.get("data") or {}, Mapping):
        raise ValueError("unable to parse invoke function opts: payload and its data must be objects")  # noqa: TRY004 - about the reply
    pause.expires = timespan.expiry(timeout, now) if timeout else now + timespan.YEAR_S
    pause.correlation = f"{run.id}.{op.id}"
    carried = _sessions(given)
    ts = int(now * 1000)
    own = {
        "correlation_id": pause.correlation,
        "expire": int(pause.expires * 1000),
        "fn_id": function,
        "gid": world.ids.uuid(),
        "isr": world.ids.span("01"),
        "name": op.label,
        "source_app_id": run.book.app_id,
        "source_fn_id": run.book.function_id,
        "source_fn_v": 1,
        "tc": {
            "ctx": {"sid": world.ids.hex(16), "traceparent": f"00-{world.ids.hex(32)}-{world.ids.hex(16)}-01"},
            "ts": _nanoseconds(now),
        },
    }
    if waits.open_pause(world, pause):
        event = events.stored(
            events.INVOKED,
            {**(given.get("data") or {}), OWN: own},
            id=world.ids.ulid(now),
            ts=ts,
            sessions=carried,
            v=str(given.get("v") or ""),
        )
        world.publish(event)


def _sessions(payload: Mapping[str, Any]) -> dict[str, str]:
    try:
        return sessions.resolve(payload.get("meta"))
    except ValueError as invalid:
        raise ValueError(f"invalid step.invoke sessions: {invalid}") from None


def _nanoseconds(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
